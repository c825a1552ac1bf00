// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The options that every subcommand takes, as one table.
 * Their letters mean the same everywhere; a tool's own rows may use what is left. */
#include <arpa/inet.h>

#include "loader/session.h"

static const char *const formats[] = {"table", "json", "csv", NULL};

static int parse_port(void *conf, const char *arg, const char **why)
{
	struct filter *f = &((struct common *)conf)->filter;
	uint64_t port;

	if (text_to_u64(text_of(arg), &port) || port < 1 || port > 65535) {
		*why = "is not a port, give 1 to 65535";
		return -EINVAL;
	}
	if (f->n_ports == FILTER_PORTS) {
		*why = "is one port too many, at most 8 can be given";
		return -EINVAL;
	}
	f->ports[f->n_ports++] = (uint16_t)port;
	return 0;
}

static int parse_comm(void *conf, const char *arg, const char **why)
{
	struct filter *f = &((struct common *)conf)->filter;

	if (!*arg) {
		*why = "is no process name";
		return -EINVAL;
	}
	/* The kernel keeps 15 bytes of a name: a longer one is compared by these. */
	memset(f->comm, 0, sizeof(f->comm));
	memcpy(f->comm, arg, MIN(strlen(arg), sizeof(f->comm) - 1));
	f->by_comm = 1;
	return 0;
}

static int parse_net(void *conf, const char *arg, const char **why)
{
	struct filter *f = &((struct common *)conf)->filter;
	uint8_t mask[16] = {0};
	struct addr net;
	unsigned prefix;
	int r = addr_parse_net(arg, &net, &prefix, why);

	if (r)
		return r;
	for (unsigned i = 0; i < prefix; i++)
		mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
	memcpy(f->net, net.b, sizeof(f->net));
	memcpy(f->net_mask, mask, sizeof(f->net_mask));
	f->by_net = 1;
	return 0;
}

const struct opt common_opts[] = {
	{'o', "output", "FORMAT", OPT_CHOICE, 0, offsetof(struct common, format),
	 .choices = formats, .help = "how rows are written: table, json (an object a line) or csv"},
	{0, "json", NULL, OPT_FLAG, 0, offsetof(struct common, json),
	 .help = "the same as -o json"},
	{'d', "duration", "SECONDS", OPT_UINT, 0, offsetof(struct common, duration), .min = 1,
	 .max = 1000000000, .help = "end after so many seconds"},
	{'n', "rows", "ROWS", OPT_UINT, 0, offsetof(struct common, rows), .min = 1,
	 .help = "end after so many rows; with --by: show so many groups"},
	{'p', "pid", "PID", OPT_UINT, 0, offsetof(struct common, pid), .min = 1, .max = 4194304,
	 .help = "only what this process does"},
	{0, "comm", "NAME", OPT_CALL, 0, 0, .parse = parse_comm,
	 .help = "only processes of this name (its first 15 bytes)"},
	{0, "port", "N", OPT_CALL, 0, 0, .parse = parse_port,
	 .help = "only this local or remote port; may be repeated"},
	{0, "net", "CIDR", OPT_CALL, 0, 0, .parse = parse_net,
	 .help = "only addresses in this network, local or remote: 10.0.0.0/8, fe80::/10, ::1"},
	{0, "container", "NAME", OPT_TEXT, 0, offsetof(struct common, container),
	 .help = "only processes of this container: its name, id (4 digits or more) or systemd "
		 "unit"},
	{0, "fields", "A,B,C", OPT_LIST, OPT_COMMA, offsetof(struct common, fields),
	 .help = "these columns, in this order"},
	{0, "where", "EXPR", OPT_LIST, 0, offsetof(struct common, where),
	 .help = "only rows for which FIELD OP VALUE holds; OP is == != < <= > >= ~ !~; all given "
		 "must "
		 "hold"},
	{0, "hooks", NULL, OPT_CHOICE, 0, offsetof(struct common, hooks), .choices = hook_kinds,
	 .help = "hooks of this kind where there is a choice, to compare them; the best one is "
		 "taken anyway"},
	{'v', "verbose", NULL, OPT_FLAG, 0, offsetof(struct common, verbose),
	 .help = "say what was attached where and how much there was to verify, and the verifier's "
		 "log on failure"},
	{'h', "help", NULL, OPT_FLAG, 0, offsetof(struct common, help), .help = "this text"},
	{0, "man", NULL, OPT_FLAG, OPT_HIDDEN, offsetof(struct common, man),
	 .help = "the man page's source"},
	{0},
};
