// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A filter expression (pcap-filter(7)) becomes a classic BPF program.
 * One language, the one of tcpdump, for the wire tap and for capture files. */
#pragma once

#include <linux/filter.h>

#include "base/buf.h"

struct filter_program {
	struct sock_filter *insns; /* owned; valid as bpf_validate of libpcap says */
	unsigned n;
};

struct filter_link {
	unsigned type;    /* LINKTYPE_ of the packets, as in a capture file's header */
	unsigned snaplen; /* most bytes of a packet that are kept; not 0 */
	/*
	 * The interface that is captured from, or NULL for the packets of a file. Of a live socket
	 * the kernel moves an outer VLAN tag from the packet into the metadata, and says which way
	 * a packet goes; a file has tags in the packets, and no direction.
	 */
	const char *live;
};

struct filter_error {
	char message[256]; /* libpcap's */
	int at;            /* where in the expression, in bytes; -1: not known */
};

/*
 * Compiles expr, optimised; an empty one matches everything. Names of hosts, networks and ports are
 * looked up, which may ask a name server: done before privileges are dropped. For VLAN expressions
 * on a live interface CAP_NET_RAW is needed, and a packet socket opened and closed again.
 *
 * 0 and *out, which filter_program_free frees; or with *err: -EINVAL (the expression is wrong),
 * -EPERM or -EIO (no packet socket), -ENOTSUP (not on such packets, or a build without libpcap),
 * -ENOMEM.
 */
int filter_compile(const char *expr, const struct filter_link *link, struct filter_program *out,
		   struct filter_error *err);
void filter_program_free(struct filter_program *p);

/* The message, and if the place is known, the expression with a line below that marks it by ^. No
 * newline at the end. */
void filter_error_text(struct buf *b, const char *expr, const struct filter_error *err);
