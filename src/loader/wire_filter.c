// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* From an expression to a loaded program. One program fits one link layer, so that a filter on
 * every interface is two, and which of them, each packet's link says. */
#include "loader/wire_filter.h"

#include <bpf/bpf.h>
#include <net/if_arp.h>

#include "capture/link.h"
#include "filter/dump.h"
#include "filter/port.h"
#include "filter/translate.h"

#define DUMP_MAX (1 << 20)

char *wire_expression(char *const *words, unsigned n)
{
	size_t size = 1;
	char *text;

	for (unsigned i = 0; i < n; i++)
		size += strlen(words[i]) + 1;
	text = malloc(size);
	if (!text)
		return NULL;
	struct buf b = {.p = text, .cap = size};

	for (unsigned i = 0; i < n; i++) {
		buf_str(&b, i ? " " : "");
		buf_str(&b, words[i]);
	}
	text[b.len] = '\0';
	return text;
}

int wire_expression_fail(struct session *s, int error, const char *expression,
			 const struct filter_error *why)
{
	char text[2048];
	struct buf b = BUF_ON(text);

	filter_error_text(&b, expression, why);
	return session_fail(s, error, "filter: %.*s", (int)b.len, b.p);
}

static bool has_ethernet(const struct wire_interface *i)
{
	return i->type == ARPHRD_ETHER || i->type == ARPHRD_LOOPBACK;
}

static int compile(struct session *s, const struct wire_interface *i, const char *expression,
		   struct filter_program *p)
{
	struct filter_link link = {.type = has_ethernet(i) ? LINK_ETHERNET : LINK_RAW,
				   .snaplen = FRAME_MAX,
				   .live = i->name};
	struct filter_error error = {.at = -1};
	int r = filter_compile(expression, &link, p, &error);

	return r ? wire_expression_fail(s, r, expression, &error) : 0;
}

static int dump(struct session *s, const struct filter_program *p, const struct filter_ebpf *e)
{
	struct buf b = {.cap = DUMP_MAX};

	b.p = malloc(b.cap);
	if (!b.p)
		return session_fail(s, -ENOMEM, "no memory");
	filter_dump(&b, p, e);
	(void)output_text(session_output(s), (struct text){b.p, (uint32_t)b.len});
	free(b.p);
	return -ECANCELED;
}

/* A table with program as its only entry. The session's, as its end empties the table. */
static int table_of(struct session *s, int program)
{
	uint32_t zero = 0;
	int fd = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "wire_filter", sizeof(zero),
				sizeof(uint32_t), 1, NULL);

	if (fd < 0)
		return session_fail(s, fd, "filter: cannot make its table: %s", strerror(-fd));
	if (session_own_fd(s, fd))
		return session_fail(s, -EMFILE, "too many filters");
	if (bpf_map_update_elem(fd, &zero, &program, BPF_ANY))
		return session_fail(s, -errno, "filter: cannot fill its table: %s",
				    strerror(errno));
	return fd;
}

static int load(struct session *s, const struct filter_ebpf *e)
{
	int fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "wire_filter", "GPL", e->insns, e->n,
			       NULL);

	if (fd < 0)
		return session_fail(s, fd, "filter: the kernel refused its program: %s",
				    strerror(-fd));
	return session_own_fd(s, fd) ? session_fail(s, -EMFILE, "too many filters") : fd;
}

/* The compiled filter becomes a program that hands what matches to program, or is printed. */
static int install(struct session *s, const struct filter_program *p,
		   const struct wire_filter *filter, int program)
{
	struct filter_ebpf e = {0};
	char why[128];
	int table = table_of(s, program), r;

	if (table < 0)
		return table;
	r = filter_translate(p, table, &e, why, sizeof(why));
	if (r)
		r = session_fail(s, r, "filter: %s", why);
	else
		r = filter->dump ? dump(s, p, &e) : load(s, &e);
	filter_ebpf_free(&e);
	return r;
}

int wire_filter_load(struct session *s, const struct wire_interface *i,
		     const struct wire_filter *filter, int program)
{
	struct filter_program p = {0};
	int r = compile(s, i, filter->expression, &p);

	if (r)
		return r;
	r = install(s, &p, filter, program);
	filter_program_free(&p);
	return r;
}

/* An interface with Ethernet, of which there is always one: loopback. 0 or -errno, said. */
static int find_ethernet(struct session *s, struct wire_interface *out)
{
	_cleanup_(wire_free_namesp) struct if_nameindex *names = if_nameindex();

	for (struct if_nameindex *n = names; n && n->if_index; n++) {
		int r = wire_find(s, n->if_name, out);

		if (r || has_ethernet(out))
			return r;
	}
	return session_fail(s, -ENODEV, "filter: no interface here has Ethernet, name one with -i");
}

/* For links with bare IP the same expression, as far as it makes sense there: `ether host` does
 * not. 0 or -errno, said. */
static int load_bare(struct session *s, const struct wire_filter *filter, int table, int program)
{
	struct filter_link link = {.type = LINK_RAW, .snaplen = FRAME_MAX, .live = "lo"};
	struct filter_error error = {.at = -1};
	struct filter_program p = {0};
	uint32_t at = WIRE_BARE_IP;
	int fd;

	if (filter_compile(filter->expression, &link, &p, &error))
		return 0;
	fd = install(s, &p, filter, program);
	filter_program_free(&p);
	if (fd < 0)
		return fd;
	return bpf_map_update_elem(table, &at, &fd, BPF_ANY)
		       ? session_fail(s, -errno, "filter: cannot fill its table: %s",
				      strerror(errno))
		       : 0;
}

int wire_filter_load_all(struct session *s, const struct bpf_object *obj,
			 const struct wire_filter *filter, int program)
{
	int table = bpf_object__find_map_fd_by_name(obj, "wire_filters");
	struct wire_interface ethernet;
	uint32_t at = WIRE_ETHERNET;
	int fd, r = find_ethernet(s, &ethernet);

	if (r)
		return r;
	fd = wire_filter_load(s, &ethernet, filter, program);
	if (fd < 0)
		return fd;
	if (bpf_map_update_elem(table, &at, &fd, BPF_ANY))
		return session_fail(s, -errno, "filter: cannot fill its table: %s",
				    strerror(errno));
	r = load_bare(s, filter, table, program);
	return r ? r : bpf_program__fd(bpf_object__find_program_by_name(obj, "wire_dispatch"));
}

int wire_filter_none(struct session *s, const struct bpf_object *obj, int program)
{
	int table = bpf_object__find_map_fd_by_name(obj, "wire_filters");
	const uint32_t links[] = {WIRE_ETHERNET, WIRE_BARE_IP};

	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (bpf_map_update_elem(table, &links[i], &program, BPF_ANY))
			return session_fail(s, -errno, "filter: cannot fill its table: %s",
					    strerror(errno));
	return bpf_program__fd(bpf_object__find_program_by_name(obj, "wire_dispatch"));
}

bool wire_filter_names_port(const char *expression, uint16_t port)
{
	struct filter_link link = {.type = LINK_ETHERNET, .snaplen = FRAME_MAX};
	struct filter_program p = {0};
	struct filter_error error;
	bool names;

	if (filter_compile(expression, &link, &p, &error))
		return false;
	names = filter_names_port(&p, port);
	filter_program_free(&p);
	return names;
}
