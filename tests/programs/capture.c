// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The capture room as a program, so that Wireshark's tools can be asked about the same files.
 * usage: capture read|sort FILE: a JSON object a packet; capture write FILE [BYTES FILES]: lines of
 * "interface NAME LINK SNAPLEN", "packet INTERFACE TIME LENGTH DIRECTION TYPE HEX COMMENT" and
 * "counts INTERFACE RECEIVED DROPPED TIME" on standard input; FILES of at most BYTES. */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "capture/link.h"
#include "capture/order.h"
#include "capture/pcapng.h"
#include "capture/reader.h"

static int next(void *from, struct frame *out)
{
	return reader_next(from, out);
}

static void print_text(const char *key, struct text t)
{
	static char room[6 * 65536 + 1];
	struct buf b = BUF_ON(room);

	buf_json(&b, t);
	printf(", \"%s\": \"%.*s\"", key, (int)b.len, b.p);
}

static void print_link(const struct frame *p)
{
	struct link l;
	int error = link_parse(p, &l);

	if (error) {
		printf(", \"error\": \"%s\"", strerror(-error));
		return;
	}
	printf(", \"offset\": %u, \"ethertype\": %u, \"type\": %u, \"ifindex\": %u, \"vlans\": [",
	       l.offset, l.ethertype, l.type, l.ifindex);
	for (unsigned i = 0; i < l.vlans; i++)
		printf("%s%u", i ? ", " : "", l.vlan[i]);
	printf("]");
}

static void print_packet(const struct frame *p)
{
	printf("{\"time_ns\": %" PRId64 ", \"length\": %u, \"interface\": %u, \"link\": %u, "
	       "\"direction\": %u",
	       p->time_ns, p->length, p->interface, p->link, p->direction);
	print_text("name", p->name);
	print_text("comment", p->comment);
	print_link(p);
	printf(", \"bytes\": \"");
	for (uint32_t i = 0; i < p->captured; i++)
		printf("%02x", p->bytes[i]);
	printf("\"}\n");
}

static int read_file(const char *path, bool sort)
{
	_cleanup_reader_ struct reader *r = NULL;
	_cleanup_order_ struct order *o = NULL;
	struct frame p;
	int error = reader_open(path, &r);

	if (!error)
		error = order_new(next, r, &o);
	if (error)
		errx(1, "%s: %s", path, strerror(-error));
	while ((error = sort ? order_next(o, &p) : reader_next(r, &p)) > 0)
		print_packet(&p);
	if (error)
		warnx("%s: %s", path, reader_error(r));
	return error != 0;
}

static int open_file(void *path, unsigned n)
{
	char name[4096];
	int fd = pcapng_name(path, n, name, sizeof(name));

	if (fd == 0)
		fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

static int write_packet(struct pcapng *w, const char *line)
{
	static uint8_t bytes[FRAME_MAX];
	struct frame p = {.bytes = bytes};
	int at = 0;
	unsigned v;

	if (sscanf(line, "packet %u %" SCNd64 " %u %hhu %hhu %n", &p.interface, &p.time_ns,
		   &p.length, &p.direction, &p.type, &at) != 5)
		errx(2, "not a packet: %.80s", line);
	for (line += at; sscanf(line, "%2x", &v) == 1 && p.captured < FRAME_MAX; line += 2) {
		bytes[p.captured++] = (uint8_t)v;
		if (line[2] == ' ' || line[2] == '\n')
			break;
	}
	line += 2;
	if (*line == ' ')
		p.comment = (struct text){line + 1, (uint32_t)strcspn(line + 1, "\n")};
	return pcapng_packet(w, &p);
}

static int write_line(struct pcapng *w, const char *line)
{
	uint64_t received, dropped;
	unsigned n, link;
	char name[64];
	int64_t now;
	int number;

	if (sscanf(line, "interface %63s %u %u", name, &link, &n) == 3) {
		number = pcapng_interface(w, text_of(name), (uint16_t)link, n);
		return number < 0 ? number : 0;
	}
	if (sscanf(line, "counts %u %" SCNu64 " %" SCNu64 " %" SCNd64, &n, &received, &dropped,
		   &now) == 4) {
		pcapng_counts(w, n, received, dropped, now);
		return 0;
	}
	return write_packet(w, line);
}

static int write_file(char *path, uint64_t bytes, unsigned files)
{
	static char line[2 * FRAME_MAX + 4096];
	struct pcapng_options o = {
		.hardware = "some hardware",
		.os = "an operating system",
		.application = "capture of tapline's tests",
		.file_bytes = bytes,
		.files = files,
		.open = open_file,
		.ctx = path,
		.start_ns = 1600000000000000001,
	};
	struct pcapng *w = NULL;
	int fd = open_file(path, 0), error, last;

	error = fd < 0 ? fd : pcapng_new(fd, &o, &w);
	if (error)
		errx(1, "%s: %s", path, strerror(-error));
	while (!error && fgets(line, sizeof(line), stdin))
		error = write_line(w, line);
	last = pcapng_close(w);
	error = error ? error : last;
	if (error)
		warnx("%s: %s", path, strerror(-error));
	return error != 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "read") == 0)
		return read_file(argv[2], false);
	if (argc == 3 && strcmp(argv[1], "sort") == 0)
		return read_file(argv[2], true);
	if (argc == 3 && strcmp(argv[1], "write") == 0)
		return write_file(argv[2], 0, 0);
	if (argc == 5 && strcmp(argv[1], "write") == 0)
		return write_file(argv[2], strtoull(argv[3], NULL, 10),
				  (unsigned)strtoul(argv[4], NULL, 10));
	errx(2, "usage: capture read|sort FILE; capture write FILE [BYTES FILES]");
}
