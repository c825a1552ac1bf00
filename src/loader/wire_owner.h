// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Whose a packet on an interface is: the user side of kernel/wire_owner.bpf.h, whose programs and
 * maps are found by their names in the object of the tool. */
#pragma once

#include "abi/record.h"
#include "abi/wire.h"
#include "loader/session.h"

struct wire_owners;

/* Before obj is loaded, by a tool that asks for owners: takes the hooks that this kernel has, and
 * sets its read-only network_namespace. 0 or -errno, said. */
int wire_owners_prepare(struct session *s, struct bpf_object *obj, uint32_t *network_namespace);
/* The same by one that does not: neither programs nor maps are loaded. */
void wire_owners_disable(struct bpf_object *obj);

/* After obj was loaded, and attached by session_attach: looks at the sockets that there are
 * already. *out is the caller's, for wire_owners_free, which takes NULL too. 0 or -errno, said. */
int wire_owners_open(struct session *s, struct bpf_object *obj, struct wire_owners **out);
void wire_owners_free(struct wire_owners *w);

/*
 * Whose the packets of this socket are. Local and remote are those of a packet: the socket of just
 * these names is looked for (*exact: true), then one that takes what comes to the address and port,
 * then one that takes what comes to the port, for addresses of this host. False: none is known, and
 * *out and *exact are as they were.
 */
bool wire_owners_find(const struct wire_owners *w, const struct wire_socket *socket,
		      struct owner *out, bool *exact);

/* Only the socket of just these names. changes: owner_changes[WIRE_CHANGE(socket)] of the programs,
 * as it is now; while it is the same, the kernel is not asked again. */
bool wire_owners_exact(struct wire_owners *w, const struct wire_socket *socket, uint32_t changes,
		       struct owner *out);

/* As wire_owners_find, for a row that is made now: where none is known of a socket that may be of
 * this host, it is looked for among the open files first, as far as a budget allows (1/64 of the
 * time). An answer holds for 2 ms. */
bool wire_owners_seek(struct wire_owners *w, const struct wire_socket *socket, struct owner *out);

/* Reads the addresses of this host again: 0 or -errno. */
int wire_owners_addresses(struct wire_owners *w);
/* Looks at all open files again, for sockets that no hook has told of. 0 or -errno. */
int wire_owners_refresh(struct wire_owners *w);
