// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Capture files of both formats and byte orders, whole, cut at every byte, and damaged.
 * tshark's opinion of real files is asked in tests/e2e/test_capture.py. */
#include <fcntl.h>
#include <stdio.h>

#include "capture_file.h"

static struct file file;

static void fresh(bool swapped)
{
	file.n = 0;
	file.swapped = swapped;
}

static struct reader *read_file(void)
{
	return read_bytes(file.b, file.n);
}

static void expect_end(struct reader *r)
{
	struct frame p;

	assert_int_equal(reader_next(r, &p), 0);
	assert_int_equal(reader_next(r, &p), 0);
	assert_string_equal(reader_error(r), "");
}

/* The one error, which stays, and its text. */
static void expect_error(struct reader *r, const char *text)
{
	struct frame p, before;

	memset(&p, 0x5a, sizeof(p));
	before = p;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(reader_next(r, &p), -EBADMSG);
		assert_string_equal(reader_error(r), text);
	}
	assert_memory_equal(&p, &before, sizeof(p));
}

static void damaged(const char *text)
{
	_cleanup_reader_ struct reader *r = read_file();

	expect_error(r, text);
}

static void test_pcap(void **state UNUSED)
{
	for (int kind = 0; kind < 4; kind++) {
		_cleanup_reader_ struct reader *r = NULL;
		bool nano = kind & 1;
		struct frame p;

		fresh(kind & 2);
		put_pcap(&file, nano ? 0xa1b23c4d : 0xa1b2c3d4, 0xf4000000 | 113);
		put_record(&file, 1700000000, 123456, 99, "abc");
		put_record(&file, 4294967295, 999999, 4, "defg");
		put_record(&file, 0, 0, 0, "longer than it was");
		r = read_file();
		assert_int_equal(reader_next(r, &p), 1);
		assert_int_equal(p.time_ns, 1700000000000000000 + (nano ? 123456 : 123456000));
		assert_int_equal(p.length, 99);
		assert_int_equal(p.link, 113);
		assert_int_equal(p.interface, 0);
		assert_int_equal(p.direction, FRAME_DIRECTION_UNKNOWN);
		assert_int_equal(p.name.len + p.comment.len, 0);
		expect_bytes(&p, "abc");
		assert_int_equal(reader_next(r, &p), 1);
		assert_int_equal(p.time_ns, 4294967295000000000 + (nano ? 999999 : 999999000));
		expect_bytes(&p, "defg");
		assert_int_equal(reader_next(r, &p), 1);
		assert_int_equal(p.length, 18);
		expect_end(r);
	}
}

static void test_pcap_that_is_damaged(void **state UNUSED)
{
	fresh(false);
	damaged("byte 0: the file is empty");
	put(&file, "\xd4\xc3", 2);
	damaged("byte 0: the file ends inside the first number of 4 bytes, 2 of them are there");
	put(&file, "\xb2\xa1", 2);
	damaged("byte 0: the file ends inside the header of 24 bytes, 4 of them are there");
	fresh(false);
	put(&file, "\x1f\x8b\x08\x00\x00", 5);
	damaged("byte 0: neither a pcap nor a pcapng file: it begins with 1f 8b 08 00");
	fresh(true);
	put_pcap(&file, 0xa1b2c3d4, 1);
	file.b[7] = 3;
	damaged("byte 0: pcap version 2.3 is not read, only 2.4");
	fresh(true);
	put_pcap(&file, 0xa1b2c3d4, 1);
	put32(&file, 0);
	put32(&file, 0);
	put32(&file, FRAME_MAX + 1);
	put32(&file, 0);
	damaged("byte 24: a packet of 262145 bytes, more than the 262144 there can be");
}

static void test_the_largest_packet(void **state UNUSED)
{
	_cleanup_reader_ struct reader *r = NULL;
	struct frame p;

	fresh(false);
	put_pcap(&file, 0xa1b2c3d4, 1);
	for (int i = 0; i < 7; i++) {
		put32(&file, 1);
		put32(&file, 0);
		put32(&file, FRAME_MAX);
		put32(&file, FRAME_MAX);
		memset(file.b + file.n, 'a' + i, FRAME_MAX);
		file.n += FRAME_MAX;
	}
	r = read_file();
	for (int i = 0; i < 7; i++) {
		assert_int_equal(reader_next(r, &p), 1);
		assert_int_equal(p.captured, FRAME_MAX);
		assert_int_equal(p.bytes[0], 'a' + i);
		assert_int_equal(p.bytes[FRAME_MAX - 1], 'a' + i);
	}
	expect_end(r);
}

static void test_pcapng(void **state UNUSED)
{
	for (int swapped = 0; swapped < 2; swapped++) {
		_cleanup_reader_ struct reader *r = NULL;
		struct frame p;
		static const char flags_in[4] = {1 | 3 << 2, 0, 0, 0};

		fresh(false);
		put_section(&file);
		put_interface(&file, 1, "eth0", 9, 0);
		put_interface(&file, 276, NULL, 0, 0);
		begin(&file, 0x0bad);
		put(&file, "something else..", 16);
		end(&file);
		put_enhanced(&file, 1, 1700000000123456, 10, "abc");
		put_option(&file, 1, "pid 7 nginx", 11);
		put_option(&file, 1, "a second one", 12);
		put_option(&file, 2, flags_in, 4);
		end(&file);
		file.swapped = swapped;
		put_section(&file);
		put_interface(&file, 101, "a-name", 9, 0);
		put_enhanced(&file, 0, 1700000000987654321, 0, "packet");
		put16(&file, 2);
		put16(&file, 4);
		put32(&file, 2);
		put_option(&file, 0, "", 0);
		put_option(&file, 1, "behind the end", 14);
		end(&file);
		r = read_file();
		assert_int_equal(reader_next(r, &p), 1);
		assert_int_equal(p.time_ns, 1700000000123456000);
		assert_int_equal(p.length, 10);
		assert_int_equal(p.interface, 1);
		assert_int_equal(p.link, 276);
		assert_int_equal(p.direction, FRAME_DIRECTION_IN);
		assert_int_equal(p.type, FRAME_TYPE_BROADCAST);
		assert_int_equal(p.name.len, 0);
		expect_text(p.comment, "pid 7 nginx");
		expect_bytes(&p, "abc");
		assert_int_equal(reader_next(r, &p), 1);
		assert_int_equal(p.time_ns, 1700000000987654321);
		assert_int_equal(p.length, 6);
		assert_int_equal(p.interface, 0);
		assert_int_equal(p.link, 101);
		assert_int_equal(p.direction, FRAME_DIRECTION_OUT);
		assert_int_equal(p.type, FRAME_TYPE_OUTGOING);
		expect_text(p.name, "a-name");
		assert_int_equal(p.comment.len, 0);
		expect_end(r);
	}
}

static int64_t time_of(uint8_t resolution, int64_t offset_s, uint64_t units)
{
	_cleanup_reader_ struct reader *r = NULL;
	struct frame p;

	fresh(true);
	put_section(&file);
	put_interface(&file, 1, "x", resolution, offset_s);
	put_enhanced(&file, 0, units, 1, "x");
	end(&file);
	r = read_file();
	assert_int_equal(reader_next(r, &p), 1);
	return p.time_ns;
}

static void test_times(void **state UNUSED)
{
	assert_int_equal(time_of(3, 0, 1700000000123), 1700000000123000000);
	assert_int_equal(time_of(6, -1700000000, 1700000000000001), 1000);
	assert_int_equal(time_of(9, 10, 5), 10000000005);
	assert_int_equal(time_of(12, 0, 1700000000123999), 1700000000123);
	assert_int_equal(time_of(19, 0, 18000000000000000009ULL), 1800000000);
	assert_int_equal(time_of(0x80, 0, 3), 3000000000);
	assert_int_equal(time_of(0x80 | 10, 0, 1024 + 512), 1500000000);
	assert_int_equal(time_of(0x80 | 32, 1, 0x180000000), 2500000000);
	assert_int_equal(time_of(0x80 | 63, 0, UINT64_MAX), 1999999999);
	assert_int_equal(time_of(9, -1, 5), -999999995);
}

static void test_times_that_cannot_be(void **state UNUSED)
{
	static const struct {
		uint8_t resolution;
		int64_t offset_s;
		uint64_t units;
		const char *text;
	} bad[] = {
		{20, 0, 0, "byte 28: times in units of 10 to the power of -20 s are not read"},
		{0xc0, 0, 0, "byte 28: times in units of 2 to the power of -64 s are not read"},
		{9, 0, UINT64_MAX, "byte 56: a packet's time is more than 292 years from 1970"},
		{9, INT64_MAX, UINT64_MAX,
		 "byte 68: a packet's time is more than 292 years from 1970"},
		{0x80, 0, UINT64_MAX, "byte 56: a packet's time is more than 292 years from 1970"},
		{9, INT64_MIN, 0, "byte 68: a packet's time is more than 292 years from 1970"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		fresh(i & 1);
		put_section(&file);
		put_interface(&file, 1, NULL, bad[i].resolution, bad[i].offset_s);
		put_enhanced(&file, 0, bad[i].units, 1, "x");
		end(&file);
		damaged(bad[i].text);
	}
}

static void test_simple_and_obsolete_packets(void **state UNUSED)
{
	_cleanup_reader_ struct reader *r = NULL;
	char long_one[100];
	struct frame p;

	fresh(true);
	put_section(&file);
	put_interface(&file, 1, "x", 9, 0);
	put_interface(&file, 101, "y", 0, 0);
	put_enhanced(&file, 0, 77, 1, "x");
	end(&file);
	begin(&file, 3);
	put32(&file, 5);
	put(&file, "short\0\0", 8);
	end(&file);
	memset(long_one, 'l', sizeof(long_one));
	begin(&file, 3); /* the snap length is 64 */
	put32(&file, sizeof(long_one));
	put(&file, long_one, 64);
	end(&file);
	begin(&file, 2);
	put16(&file, 1);
	put16(&file, 9);
	put32(&file, 0);
	put32(&file, 5);
	put32(&file, 3);
	put32(&file, 30);
	put(&file, "old", 4);
	end(&file);
	r = read_file();
	assert_int_equal(reader_next(r, &p), 1);
	assert_int_equal(reader_next(r, &p), 1);
	assert_int_equal(p.time_ns, 77);
	assert_int_equal(p.length, 5);
	expect_bytes(&p, "short");
	expect_text(p.name, "x");
	assert_int_equal(reader_next(r, &p), 1);
	assert_int_equal(p.length, 100);
	assert_int_equal(p.captured, 64);
	assert_int_equal(p.time_ns, 77);
	assert_int_equal(reader_next(r, &p), 1);
	assert_int_equal(p.interface, 1);
	assert_int_equal(p.link, 101);
	assert_int_equal(p.time_ns, 5000);
	assert_int_equal(p.length, 30);
	expect_bytes(&p, "old");
	expect_end(r);
}

/* A section without its header's last block, for one block that is damaged. */
static void one_interface(void)
{
	fresh(false);
	put_section(&file);
	put_interface(&file, 1, "x", 0, 0); /* ends at byte 56 */
}

static void set32(size_t at, uint32_t v)
{
	memcpy(file.b + at, &v, sizeof(v));
}

static void test_blocks_that_are_damaged(void **state UNUSED)
{
	fresh(false);
	put_section(&file);
	set32(8, 0x12345678);
	damaged("byte 0: a section in no byte order: 12345678");
	fresh(false);
	put_section(&file);
	file.b[12] = 2;
	damaged("byte 0: pcapng version 2.0 is not read, only 1.0");
	fresh(false);
	put_section(&file);
	set32(4, 24);
	damaged("byte 0: a block of type 168627466 with an impossible length, 24");

	one_interface();
	put_enhanced(&file, 0, 1, 1, "x");
	end(&file);
	set32(56 + 4, 35);
	damaged("byte 56: a block of type 6 with an impossible length, 35");
	set32(56 + 4, 28);
	damaged("byte 56: a block of type 6 with an impossible length, 28");
	set32(56 + 4, READER_HELD_MAX + 4);
	damaged("byte 56: a block of type 6 has 1048580 bytes, more than the 1048576 there can be");
	set32(56 + 4, 36);
	set32(56 + 32, 40);
	damaged("byte 56: a block of 36 bytes whose end says that it has 40");
	set32(56 + 32, 36);
	set32(56 + 20, 5);
	damaged("byte 56: a packet of 5 bytes in a block of 36");
	set32(56 + 20, UINT32_MAX);
	damaged("byte 56: a packet of 4294967295 bytes, more than the 262144 there can be");
	set32(56 + 20, 1);
	set32(56 + 8, 1);
	damaged("byte 56: a packet of interface number 1, and the section has 1");
	set32(56 + 8, UINT32_MAX);
	damaged("byte 56: a packet of interface number 4294967295, and the section has 1");

	one_interface();
	begin(&file, 77);
	end(&file);
	set32(56 + 4, READER_SKIP_MAX + 4);
	damaged("byte 56: a block of type 77 has 16777220 bytes, more than the 16777216 there can "
		"be");
	set32(56 + 4, 8);
	damaged("byte 56: a block of type 77 with an impossible length, 8");
	set32(56 + 4, 1000);
	damaged("byte 68: the file ends inside a block, 988 bytes before its end");
	fresh(false);
	put_section(&file);
	begin(&file, 3);
	put32(&file, 0);
	end(&file);
	damaged("byte 28: a packet of interface number 0, and the section has 0");
}

static void test_options_that_are_damaged(void **state UNUSED)
{
	static const uint8_t two[2] = {9, 9};

	one_interface();
	put_enhanced(&file, 0, 1, 1, "x");
	put16(&file, 1);
	put16(&file, 5);
	put32(&file, 0);
	end(&file);
	damaged("byte 56: option 1 of 5 bytes does not fit into its block");
	one_interface();
	put_enhanced(&file, 0, 1, 1, "x");
	put_option(&file, 2, two, 2);
	end(&file);
	damaged("byte 56: option 2 has 2 bytes, not 4");
	fresh(false);
	put_section(&file);
	begin(&file, 1);
	put16(&file, 1);
	put16(&file, 0);
	put32(&file, 0);
	put_option(&file, 9, two, 2);
	end(&file);
	damaged("byte 28: option 9 has 2 bytes, not 1");
}

static void test_too_many_interfaces_and_long_names(void **state UNUSED)
{
	char name[READER_NAME_MAX + 50] = "";
	_cleanup_reader_ struct reader *r = NULL;
	struct frame p;

	fresh(false);
	put_section(&file);
	memset(name, 'n', sizeof(name) - 1);
	for (int i = 0; i < READER_INTERFACES; i++)
		put_interface(&file, 1, name, 0, 0);
	put_enhanced(&file, READER_INTERFACES - 1, 1, 1, "x");
	end(&file);
	put_interface(&file, 1, name, 0, 0);
	r = read_file();
	assert_int_equal(reader_next(r, &p), 1);
	assert_int_equal(p.name.len, READER_NAME_MAX);
	assert_int_equal(reader_next(r, &p), -EBADMSG);
	assert_non_null(strstr(reader_error(r), "more than 1024 interfaces"));
}

static void sample(bool pcapng)
{
	fresh(pcapng);
	if (!pcapng) {
		put_pcap(&file, 0xa1b2c3d4, 1);
		for (int i = 0; i < 5; i++)
			put_record(&file, 1, 2, 10, "packet" + i);
		return;
	}
	put_section(&file);
	put_interface(&file, 1, "x", 9, 0);
	for (int i = 0; i < 5; i++) {
		put_enhanced(&file, 0, 1000000002, 10, "packet" + i);
		end(&file);
		begin(&file, 99);
		put(&file, "skip", 4);
		end(&file);
	}
}

/* Cut anywhere, a file gives the packets that are whole, and an error unless it is cut between two.
 */
static void test_cut_at_every_byte(void **state UNUSED)
{
	for (int pcapng = 0; pcapng < 2; pcapng++) {
		size_t clean = 0, whole;

		sample(pcapng);
		whole = file.n;
		for (size_t n = 1; n <= whole; n++) {
			_cleanup_reader_ struct reader *r = read_bytes(file.b, n);
			struct frame p;
			int packets = 0, err;

			while ((err = reader_next(r, &p)) > 0)
				expect_bytes(&p, "packet" + packets++);
			assert_true(err == 0 || err == -EBADMSG);
			assert_true((err == 0) == (reader_error(r)[0] == 0));
			clean += err == 0;
			assert_true(n < whole || packets == 5);
		}
		/* After the header or the section, the interface, and each record or block. */
		assert_int_equal(clean, pcapng ? 2 + 10 : 1 + 5);
	}
}

/* A pipe that is fed byte by byte and must not be waited for, which it says itself or is asked. */
static void test_a_slow_pipe(void **state UNUSED)
{
	for (int kind = 0; kind < 4; kind++) {
		bool pcapng = kind % 2, polled = kind / 2;
		_cleanup_reader_ struct reader *r = NULL;
		int ends[2], packets = 0;
		struct frame p;

		sample(pcapng);
		assert_int_equal(pipe2(ends, O_CLOEXEC | (polled ? 0 : O_NONBLOCK)), 0);
		assert_int_equal(reader_new(ends[0], &r), 0);
		if (polled)
			reader_set_polled(r);
		for (size_t i = 0; i < file.n; i++) {
			int got;

			assert_int_equal(reader_next(r, &p), -EAGAIN);
			assert_int_equal(write(ends[1], file.b + i, 1), 1);
			got = reader_next(r, &p);
			assert_true(got == 1 || got == -EAGAIN);
			if (got == 1)
				expect_bytes(&p, "packet" + packets++);
		}
		assert_int_equal(packets, 5);
		(void)close(ends[1]);
		expect_end(r);
	}
}

static void test_blocks_larger_than_the_buffer_are_skipped(void **state UNUSED)
{
	_cleanup_reader_ struct reader *r = NULL;
	struct frame p;

	one_interface();
	begin(&file, 99);
	file.n += READER_HELD_MAX + 4000;
	end(&file);
	put_enhanced(&file, 0, 1, 1, "x");
	end(&file);
	r = read_file();
	assert_int_equal(reader_next(r, &p), 1);
	expect_bytes(&p, "x");
	expect_end(r);
}

static void test_opening(void **state UNUSED)
{
	struct reader *r = NULL;

	assert_int_equal(reader_open("/nonexistent/file", &r), -ENOENT);
	assert_int_equal(reader_open("/", &r), -EISDIR);
	assert_null(r);
	reader_close(NULL);
}

static void test_a_read_that_fails(void **state UNUSED)
{
	struct reader *r = NULL;
	struct frame p;

	assert_int_equal(reader_new(open("/", O_RDONLY | O_CLOEXEC), &r), 0);
	assert_int_equal(reader_next(r, &p), -EISDIR);
	assert_string_equal(reader_error(r), "byte 0: Is a directory");
	assert_int_equal(reader_next(r, &p), -EISDIR);
	reader_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pcap),
		cmocka_unit_test(test_pcap_that_is_damaged),
		cmocka_unit_test(test_the_largest_packet),
		cmocka_unit_test(test_pcapng),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_times_that_cannot_be),
		cmocka_unit_test(test_simple_and_obsolete_packets),
		cmocka_unit_test(test_blocks_that_are_damaged),
		cmocka_unit_test(test_options_that_are_damaged),
		cmocka_unit_test(test_too_many_interfaces_and_long_names),
		cmocka_unit_test(test_cut_at_every_byte),
		cmocka_unit_test(test_a_slow_pipe),
		cmocka_unit_test(test_blocks_larger_than_the_buffer_are_skipped),
		cmocka_unit_test(test_opening),
		cmocka_unit_test(test_a_read_that_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
