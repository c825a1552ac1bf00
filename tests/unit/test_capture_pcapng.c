// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What the writer writes, read again; and that what is on the disk is whole, also when it is full.
 * tshark's opinion of the same files is asked in tests/e2e/test_capture.py. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "capture/pcapng.h"
#include "capture_file.h"

#define START 1700000000123456789

static const struct pcapng_options plain = {.application = "a test", .start_ns = START};

static int empty_file(void)
{
	return memory_file("", 0);
}

/* A reader of what is in fd now. */
static struct reader *reader_of(int fd)
{
	char path[40];
	struct reader *r = NULL;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(reader_open(path, &r), 0);
	return r;
}

static size_t size_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (size_t)st.st_size;
}

static uint32_t u32_at(int fd, size_t at)
{
	uint32_t v;

	assert_int_equal(pread(fd, &v, sizeof(v), (off_t)at), sizeof(v));
	return v;
}

/* How many blocks of a type the file has; it must have whole ones only. */
static unsigned blocks_of(int fd, uint32_t type)
{
	size_t n = size_of(fd), at = 0;
	unsigned found = 0;

	while (at < n) {
		uint32_t size = u32_at(fd, at + 4);

		assert_true(size >= 12 && size % 4 == 0 && size <= n - at);
		assert_int_equal(u32_at(fd, at + size - 4), size);
		found += u32_at(fd, at) == type;
		at += size;
	}
	return found;
}

/* So many packets, and no damage. */
static unsigned packets_of(int fd)
{
	_cleanup_reader_ struct reader *r = reader_of(fd);
	struct frame p;
	unsigned n = 0;
	int err;

	while ((err = reader_next(r, &p)) > 0)
		n++;
	assert_int_equal(err, 0);
	return n;
}

static struct frame packet_of(uint32_t interface, const char *bytes, const char *comment)
{
	return (struct frame){
		.interface = interface,
		.time_ns = START,
		.bytes = (const uint8_t *)bytes,
		.captured = (uint32_t)strlen(bytes),
		.length = (uint32_t)strlen(bytes),
		.comment = text_of(comment),
	};
}

static struct pcapng *writer(int fd, const struct pcapng_options *o)
{
	struct pcapng *w = NULL;

	assert_int_equal(pcapng_new(dup(fd), o, &w), 0);
	return w;
}

static void test_what_is_written_is_read(void **state UNUSED)
{
	_cleanup_close_ int fd = empty_file();
	_cleanup_reader_ struct reader *r = NULL;
	struct pcapng *w = writer(fd, &plain);
	struct frame p = packet_of(0, "a packet", "pid 123 nginx container x");

	assert_int_equal(pcapng_interface(w, TEXT("eth0"), 1, 0), 0);
	assert_int_equal(pcapng_packet(w, &p), 0);
	assert_int_equal(pcapng_interface(w, TEXT(""), 101, 4), 1);
	p.interface = 1;
	p.comment = TEXT("");
	p.length = 1000;
	p.time_ns = 1;
	assert_int_equal(pcapng_packet(w, &p), 0);
	assert_int_equal(pcapng_close(w), 0);
	r = reader_of(fd);
	assert_int_equal(reader_next(r, &p), 1);
	assert_int_equal(p.time_ns, START);
	assert_int_equal(p.length, 8);
	assert_int_equal(p.interface, 0);
	assert_int_equal(p.link, 1);
	assert_int_equal(p.direction, FRAME_DIRECTION_UNKNOWN);
	expect_text(p.name, "eth0");
	expect_text(p.comment, "pid 123 nginx container x");
	expect_bytes(&p, "a packet");
	assert_int_equal(reader_next(r, &p), 1);
	assert_int_equal(p.time_ns, 1);
	assert_int_equal(p.length, 1000);
	assert_int_equal(p.interface, 1);
	assert_int_equal(p.link, 101);
	assert_int_equal(p.name.len, 0);
	assert_int_equal(p.comment.len, 0);
	expect_bytes(&p, "a pa"); /* the snap length of this interface */
	assert_int_equal(reader_next(r, &p), 0);
}

static void test_directions_and_types(void **state UNUSED)
{
	for (uint8_t type = 0; type <= FRAME_TYPE_OUTGOING; type++) {
		_cleanup_close_ int fd = empty_file();
		_cleanup_reader_ struct reader *r = NULL;
		struct pcapng *w = writer(fd, &plain);
		struct frame p = packet_of(0, "x", "");

		p.type = type;
		p.direction =
			type == FRAME_TYPE_OUTGOING ? FRAME_DIRECTION_OUT : FRAME_DIRECTION_IN;
		assert_int_equal(pcapng_interface(w, TEXT("x"), 1, 0), 0);
		assert_int_equal(pcapng_packet(w, &p), 0);
		assert_int_equal(pcapng_close(w), 0);
		r = reader_of(fd);
		assert_int_equal(reader_next(r, &p), 1);
		assert_int_equal(p.type, type);
		assert_int_equal(p.direction, type == FRAME_TYPE_OUTGOING ? FRAME_DIRECTION_OUT
									  : FRAME_DIRECTION_IN);
	}
}

static void test_comments_are_escaped_and_bounded(void **state UNUSED)
{
	_cleanup_close_ int fd = empty_file();
	_cleanup_reader_ struct reader *r = NULL;
	struct pcapng *w = writer(fd, &plain);
	char long_one[PCAPNG_COMMENT_MAX + 100];
	struct frame p = packet_of(0, "x", "a\x1b[1m\xff\xc3\xa4");

	memset(long_one, 1, sizeof(long_one));
	assert_int_equal(pcapng_interface(w, TEXT("x"), 1, 0), 0);
	assert_int_equal(pcapng_packet(w, &p), 0);
	p.comment = (struct text){long_one, sizeof(long_one)};
	assert_int_equal(pcapng_packet(w, &p), 0);
	assert_int_equal(pcapng_close(w), 0);
	r = reader_of(fd);
	assert_int_equal(reader_next(r, &p), 1);
	expect_text(p.comment, "a\\x1b[1m\\xff\xc3\xa4");
	assert_int_equal(reader_next(r, &p), 1);
	assert_int_equal(p.comment.len, 4 * PCAPNG_COMMENT_MAX);
	assert_memory_equal(p.comment.p, "\\x01\\x01", 8);
}

static void test_what_cannot_be_written(void **state UNUSED)
{
	_cleanup_close_ int fd = empty_file();
	struct pcapng *w = writer(fd, &plain);
	struct frame p = packet_of(0, "x", "");

	assert_int_equal(pcapng_packet(w, &p), -EINVAL);
	for (int i = 0; i < PCAPNG_INTERFACES; i++)
		assert_int_equal(pcapng_interface(w, TEXT("x"), 1, 0), i);
	assert_int_equal(pcapng_interface(w, TEXT("x"), 1, 0), -ENOSPC);
	p.captured = FRAME_MAX + 1;
	assert_int_equal(pcapng_packet(w, &p), -EINVAL);
	pcapng_counts(w, PCAPNG_INTERFACES, 1, 1, START);
	assert_int_equal(pcapng_close(w), 0);
	assert_int_equal(blocks_of(fd, 1), PCAPNG_INTERFACES);
	assert_int_equal(blocks_of(fd, 5) + blocks_of(fd, 6), 0);
}

static void test_the_file_is_whole_at_any_time(void **state UNUSED)
{
	static char big[FRAME_MAX + 1];
	_cleanup_close_ int fd = empty_file();
	struct pcapng *w = writer(fd, &plain);
	struct frame p;

	assert_int_equal(blocks_of(fd, 0x0a0d0d0a), 1); /* before anything else is known */
	memset(big, 'b', FRAME_MAX);
	p = packet_of(0, big, "");
	assert_int_equal(pcapng_interface(w, TEXT("x"), 1, 0), 0);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(pcapng_packet(w, &p), 0);
		p.captured -= 13;
		assert_true(packets_of(fd) <= i);
	}
	assert_true(packets_of(fd) >= 16);
	assert_int_equal(pcapng_flush(w), 0);
	assert_int_equal(packets_of(fd), 20);
	assert_int_equal(pcapng_close(w), 0);
	assert_int_equal(blocks_of(fd, 6), 20);
}

static void test_counts_end_the_file(void **state UNUSED)
{
	_cleanup_close_ int fd = empty_file();
	struct pcapng *w = writer(fd, &plain);
	size_t at;

	assert_int_equal(pcapng_interface(w, TEXT("x"), 1, 0), 0);
	assert_int_equal(pcapng_interface(w, TEXT("y"), 1, 0), 1);
	pcapng_counts(w, 1, 1, 2, START);
	pcapng_counts(w, 1, 1000, 7, START + 5);
	assert_int_equal(pcapng_close(w), 0);
	assert_int_equal(blocks_of(fd, 5), 1);
	at = size_of(fd) - u32_at(fd, size_of(fd) - 4);
	assert_int_equal(u32_at(fd, at), 5);
	assert_int_equal(u32_at(fd, at + 8), 1);
	assert_int_equal(u32_at(fd, at + 12), (uint64_t)(START + 5) >> 32);
	assert_int_equal(u32_at(fd, at + 16), (uint32_t)(START + 5));
	assert_int_equal(u32_at(fd, at + 20), 8 << 16 | 2);
	assert_int_equal(u32_at(fd, at + 28), (uint32_t)START);
	assert_int_equal(u32_at(fd, at + 44), 8 << 16 | 4);
	assert_int_equal(u32_at(fd, at + 48), 1000);
	assert_int_equal(u32_at(fd, at + 56), 8 << 16 | 5);
	assert_int_equal(u32_at(fd, at + 60), 7);
}

/* ---- a full disk ---- */

/* A real file that may have so many bytes; the limit is this process's, so a child writes. */
static int limited(size_t bytes, int (*work)(int fd))
{
	char path[] = "/tmp/tapline-test-XXXXXX";
	int fd = mkstemp(path), status;
	struct rlimit limit = {bytes, bytes};
	pid_t child;

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)signal(SIGXFSZ, SIG_IGN);
		_exit(setrlimit(RLIMIT_FSIZE, &limit) ? 99 : work(fd));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	return fd;
}

/* Packets of 100 bytes until there is no room; the exit status says what went wrong. */
static int fill(int fd)
{
	char bytes[101] = "";
	struct pcapng *w = NULL;
	struct frame p;
	int err = 0;

	memset(bytes, 'x', 100);
	p = packet_of(0, bytes, "who");
	if (pcapng_new(fd, &plain, &w))
		return 1;
	if (pcapng_interface(w, TEXT("x"), 1, 0))
		return 2;
	pcapng_counts(w, 0, 5, 6, START);
	for (int i = 0; i < 100 && !err; i++) {
		err = pcapng_packet(w, &p);
		if (!err)
			err = pcapng_flush(w);
	}
	if (err != -EFBIG || pcapng_packet(w, &p) != -EFBIG || pcapng_flush(w) != -EFBIG ||
	    pcapng_interface(w, TEXT("y"), 1, 0) != -EFBIG)
		return 3;
	return pcapng_close(w) == -EFBIG ? 0 : 4;
}

static void test_a_full_disk_keeps_whole_blocks(void **state UNUSED)
{
	size_t packet = 8 + 20 + 100 + 8 + 4 + 4;

	for (size_t limit = 500; limit < 500 + 2 * packet; limit++) {
		_cleanup_close_ int fd = limited(limit, fill);
		unsigned packets = packets_of(fd);

		assert_true(size_of(fd) <= limit);
		assert_true(packets >= 2 && packets <= 6);
		/* Where there is room for the counts, they are there. */
		assert_int_equal(blocks_of(fd, 6), packets);
		if (!blocks_of(fd, 5))
			assert_true(limit - size_of(fd) < 76);
	}
}

/* All in one write, which the limit cuts in the middle of a block. */
static int fill_at_once(int fd)
{
	char bytes[101] = "";
	struct pcapng *w = NULL;
	struct frame p;

	memset(bytes, 'x', 100);
	p = packet_of(0, bytes, "");
	if (pcapng_new(fd, &plain, &w) || pcapng_interface(w, TEXT("x"), 1, 0))
		return 1;
	for (int i = 0; i < 1000; i++) {
		if (pcapng_packet(w, &p))
			return 2;
	}
	return pcapng_close(w) == -EFBIG ? 0 : 3;
}

static void test_a_write_that_is_cut(void **state UNUSED)
{
	for (size_t limit = 50000; limit < 50150; limit += 7) {
		_cleanup_close_ int fd = limited(limit, fill_at_once);

		assert_true(size_of(fd) <= limit && limit - size_of(fd) < 136);
		assert_int_equal(packets_of(fd), blocks_of(fd, 6));
	}
}

static int no_room_for_a_header(int fd)
{
	struct pcapng *w = (struct pcapng *)&plain;

	if (pcapng_new(fd, &plain, &w) != -EFBIG || w != (struct pcapng *)&plain)
		return 1;
	return size_of(fd) ? 2 : fcntl(fd, F_GETFD) < 0;
}

static void test_no_room_for_a_header(void **state UNUSED)
{
	_cleanup_close_ int fd = limited(20, no_room_for_a_header);

	assert_int_equal(size_of(fd), 0);
}

/* ---- rotation ---- */

struct disk {
	int fds[8]; /* by number */
	unsigned opened[64], n;
	int fail_at; /* the opening that fails, counted from 1 */
};

static int disk_open(void *ctx, unsigned n)
{
	struct disk *d = ctx;

	assert_true(d->n < ARRAY_SIZE(d->opened) && n < ARRAY_SIZE(d->fds));
	d->opened[d->n++] = n;
	if ((int)d->n == d->fail_at)
		return -EACCES;
	assert_int_equal(ftruncate(d->fds[n], 0), 0);
	return dup(d->fds[n]);
}

static void disk_begin(struct disk *d)
{
	*d = (struct disk){.n = 0};
	for (unsigned i = 0; i < ARRAY_SIZE(d->fds); i++)
		d->fds[i] = empty_file();
}

static void disk_end(struct disk *d)
{
	for (unsigned i = 0; i < ARRAY_SIZE(d->fds); i++)
		(void)close(d->fds[i]);
}

#define FILE_BYTES 1000

static int write_many(struct disk *d, unsigned files, unsigned packets)
{
	struct pcapng_options o = {
		.file_bytes = FILE_BYTES, .files = files, .open = disk_open, .ctx = d};
	struct pcapng *w = writer(d->fds[0], &o);
	char bytes[20];
	int err = 0;

	assert_int_equal(pcapng_interface(w, TEXT("x"), 1, 0), 0);
	assert_int_equal(pcapng_interface(w, TEXT("y"), 101, 0), 1);
	pcapng_counts(w, 0, 1, 2, START);
	for (unsigned i = 0; i < packets && !err; i++) {
		struct frame p = packet_of(i & 1, bytes, "");

		p.captured = p.length = (uint32_t)snprintf(bytes, sizeof(bytes), "%u", i);
		err = pcapng_packet(w, &p);
		pcapng_counts(w, 1, i, 0, START);
	}
	return pcapng_close(w) ? -1 : err;
}

/* Every file is complete by itself; returns its packets, whose numbers go on from *next. */
static unsigned complete(int fd, unsigned *next)
{
	_cleanup_reader_ struct reader *r = reader_of(fd);
	struct frame p;
	unsigned n = 0;

	assert_true(size_of(fd) <= FILE_BYTES);
	assert_int_equal(blocks_of(fd, 0x0a0d0d0a), 1);
	assert_int_equal(blocks_of(fd, 1), 2);
	assert_int_equal(blocks_of(fd, 5), 2);
	for (; reader_next(r, &p) == 1; n++) {
		char want[20];

		(void)snprintf(want, sizeof(want), "%u", *next);
		expect_bytes(&p, want);
		expect_text(p.name, *next & 1 ? "y" : "x");
		assert_int_equal(p.link, *next & 1 ? 101 : 1);
		++*next;
	}
	assert_string_equal(reader_error(r), "");
	return n;
}

static void test_files_without_end(void **state UNUSED)
{
	struct disk d;
	unsigned next = 0;

	disk_begin(&d);
	assert_int_equal(write_many(&d, 0, 100), 0);
	assert_true(d.n >= 3);
	for (unsigned i = 0; i < d.n; i++)
		assert_int_equal(d.opened[i], i + 1);
	for (unsigned i = 0; i <= d.n; i++)
		assert_true(complete(d.fds[i], &next) > 10 || i == d.n);
	assert_int_equal(next, 100);
	disk_end(&d);
}

static void test_files_in_a_round(void **state UNUSED)
{
	struct disk d;
	unsigned next = 0, last, n;

	disk_begin(&d);
	assert_int_equal(write_many(&d, 0, 17), 0);
	n = complete(d.fds[0], &next); /* packets of a file: as many in each, by their sizes */
	disk_end(&d);
	disk_begin(&d);
	assert_int_equal(write_many(&d, 3, 100), 0);
	assert_true(d.n >= 4);
	for (unsigned i = 0; i < d.n; i++)
		assert_int_equal(d.opened[i], (i + 1) % 3);
	last = d.opened[d.n - 1];
	next = (d.n - 2) * n;
	for (unsigned i = 1; i <= 3; i++)
		(void)complete(d.fds[(last + i) % 3], &next);
	assert_int_equal(next, 100);
	assert_int_equal(size_of(d.fds[3]), 0);
	disk_end(&d);
}

static void test_a_next_file_that_cannot_be_opened(void **state UNUSED)
{
	struct disk d;
	unsigned next = 0;

	disk_begin(&d);
	d.fail_at = 2;
	assert_int_equal(write_many(&d, 0, 100), -1);
	assert_int_equal(d.n, 2);
	assert_true(complete(d.fds[0], &next) && complete(d.fds[1], &next));
	assert_true(next < 100);
	assert_int_equal(size_of(d.fds[2]), 0);
	disk_end(&d);
}

static void test_names(void **state UNUSED)
{
	char out[10];

	assert_int_equal(pcapng_name("a.pcapng", 0, out, sizeof(out)), 0);
	assert_string_equal(out, "a.pcapng");
	assert_int_equal(pcapng_name("a.pcap", 12, out, sizeof(out)), 0);
	assert_string_equal(out, "a.pcap.12");
	assert_int_equal(pcapng_name("a.pcap", 123, out, sizeof(out)), -ENAMETOOLONG);
	assert_int_equal(pcapng_name("aa.pcapng", 0, out, sizeof(out)), 0);
	assert_int_equal(pcapng_name("aaa.pcapng", 0, out, sizeof(out)), -ENAMETOOLONG);
}

static void test_a_pipe(void **state UNUSED)
{
	struct pcapng *w = NULL;
	struct frame p = packet_of(0, "x", "");
	struct reader *r = NULL;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(pcapng_new(ends[1], &plain, &w), 0);
	assert_int_equal(pcapng_interface(w, TEXT("x"), 1, 0), 0);
	assert_int_equal(pcapng_packet(w, &p), 0);
	assert_int_equal(pcapng_close(w), 0);
	assert_int_equal(reader_new(ends[0], &r), 0);
	assert_int_equal(reader_next(r, &p), 1);
	assert_int_equal(reader_next(r, &p), 0);
	reader_close(r);
}

/* For a pipe whose reader takes what there is each time the writer asks. */
struct slow_reader {
	int fd;
	unsigned asked, give_up_after;
	size_t n;
	char bytes[4 << 20];
};

static int is_ready(void *ctx, int fd)
{
	struct slow_reader *s = ctx;
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	if (s->asked++ == s->give_up_after)
		return -ETIMEDOUT;
	while (poll(&p, 1, 0) == 0) { /* only what a full pipe holds */
		ssize_t n = read(s->fd, s->bytes + s->n, sizeof(s->bytes) - s->n);

		assert_true(n > 0);
		s->n += (size_t)n;
	}
	return 0;
}

/* A write of all there is would block for ever here, as the reader reads in is_ready only. */
static void test_a_pipe_is_asked_before_each_write(void **state UNUSED)
{
	static struct slow_reader slow;
	static char big[FRAME_MAX];
	struct pcapng_options o = plain;
	struct frame p = packet_of(0, "", "");
	_cleanup_reader_ struct reader *r = NULL;
	struct pcapng *w = NULL;
	int ends[2];

	memset(&slow, 0, sizeof(slow));
	slow.give_up_after = UINT32_MAX;
	p.bytes = (const uint8_t *)big;
	p.captured = p.length = sizeof(big);
	o.ready = is_ready;
	o.ctx = &slow;
	assert_int_equal(pipe(ends), 0);
	slow.fd = ends[0];
	assert_int_equal(pcapng_new(ends[1], &o, &w), 0);
	assert_int_equal(pcapng_interface(w, TEXT("x"), 1, 0), 0);
	(void)alarm(20);
	for (int i = 0; i < 10; i++)
		assert_int_equal(pcapng_packet(w, &p), 0);
	assert_int_equal(pcapng_flush(w), 0);
	slow.give_up_after = slow.asked;
	assert_int_equal(pcapng_packet(w, &p), 0);
	assert_int_equal(pcapng_flush(w), -ETIMEDOUT);
	assert_int_equal(pcapng_packet(w, &p), -ETIMEDOUT);
	assert_int_equal(pcapng_close(w), -ETIMEDOUT);
	(void)alarm(0);
	while (true) {
		ssize_t n = read(slow.fd, slow.bytes + slow.n, sizeof(slow.bytes) - slow.n);

		if (n <= 0)
			break;
		slow.n += (size_t)n;
	}
	(void)close(slow.fd);
	r = read_bytes(slow.bytes, slow.n);
	for (int i = 0; i < 10; i++)
		assert_int_equal(reader_next(r, &p), 1);
	assert_int_equal(reader_next(r, &p), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_directions_and_types),
		cmocka_unit_test(test_comments_are_escaped_and_bounded),
		cmocka_unit_test(test_what_cannot_be_written),
		cmocka_unit_test(test_the_file_is_whole_at_any_time),
		cmocka_unit_test(test_counts_end_the_file),
		cmocka_unit_test(test_a_full_disk_keeps_whole_blocks),
		cmocka_unit_test(test_a_write_that_is_cut),
		cmocka_unit_test(test_no_room_for_a_header),
		cmocka_unit_test(test_files_without_end),
		cmocka_unit_test(test_files_in_a_round),
		cmocka_unit_test(test_a_next_file_that_cannot_be_opened),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_a_pipe),
		cmocka_unit_test(test_a_pipe_is_asked_before_each_write),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
