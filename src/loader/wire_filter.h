// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A filter expression in front of a wire tap's program: what it rejects costs the tap nothing.
 * The classic program of libpcap is translated, loaded, and tail-calls the tap's. */
#pragma once

#include "filter/compile.h"
#include "loader/wire.h"

struct wire_filter {
	const char *expression; /* NULL: none */
	bool dump;              /* print both programs, and end with -ECANCELED */
};

/* The words of a command line, joined by spaces: owned by the caller; NULL is no memory. */
char *wire_expression(char *const *words, unsigned n);
/* Says what is wrong with it, with the place marked; returns error. */
int wire_expression_fail(struct session *s, int error, const char *expression,
			 const struct filter_error *why);

/*
 * A program for the sockets of interface i that hands the packets which match to program (a socket
 * filter, borrowed). Names in the expression may be asked of a name server.
 * The descriptor, the session's, or -errno, said.
 */
int wire_filter_load(struct session *s, const struct wire_interface *i,
		     const struct wire_filter *filter, int program);
/* The same for a socket on every interface, whatever its link: by wire_dispatch and wire_filters of
 * obj (kernel/wire.bpf.h), which is loaded. The descriptor is obj's. */
int wire_filter_load_all(struct session *s, const struct bpf_object *obj,
			 const struct wire_filter *filter, int program);

/* A small program that hands every packet to program. Before 6.8 the kernel takes no program of
 * more than some 20 KiB for a socket (net.core.optmem_max). The descriptor is obj's; or -errno,
 * said. */
int wire_filter_none(struct session *s, const struct bpf_object *obj, int program);

/* Does the expression, as for Ethernet, name this port? False where it does not compile. */
bool wire_filter_names_port(const char *expression, uint16_t port);
