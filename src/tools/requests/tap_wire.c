// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The wire tap: every TCP connection that passes an interface, of sockets of this host and of none.
 * Whose a connection is, is asked when its row is made: a packet does not tell. */
#include <bpf/bpf.h>

#include "kernel/flow_edge.h"
#include "loader/iterator.h"
#include "loader/wire.h"
#include "loader/wire_owner.h"
#include "tools/requests/requests.h"
#include "wire.skel.h"

struct wire {
	struct wire_owners *owners;
	const volatile uint32_t *changes; /* the kernel's owner_changes */
	int flows_fd;
};

static int wire_load(struct requests *r, struct wire_bpf *k)
{
	struct session *s = r->session;
	int e;

	k->rodata->filter = *session_filter(s);
	k->rodata->ssh_shown = requests_ssh_shown(r);
	k->rodata->heads_shown = requests_heads_shown(r);
	k->rodata->frames_kept = r->frames;
	k->rodata->frames_room = frames_ring(r, k->maps.ring);
	bpf_program__set_autoload(k->progs.owner_receive, false); /* it is for datagrams */
	e = wire_owners_prepare(s, k->obj, (uint32_t *)&k->rodata->network_namespace);
	if (e) {
		wire_bpf__destroy(k);
		return e;
	}
	e = SESSION_LOAD(s, k, wire_bpf);
	if (!e)
		e = session_attach(s);
	if (!e)
		e = wire_owners_open(s, k->obj, &r->wire->owners);
	return e;
}

static int wire_open(struct requests *r)
{
	struct session *s = r->session;
	struct wire_tap tap = requests_wire_tap(r);
	struct wire_bpf *k;
	int e = wire_refuse_owner(s, "client_pid==N");

	if (e)
		return e;
	r->wire = calloc(1, sizeof(*r->wire));
	if (!r->wire)
		return session_fail(s, -ENOMEM, "no memory");
	k = wire_bpf__open();
	if (!k)
		return session_fail(s, -errno, "cannot open the BPF object: %s", strerror(errno));
	e = wire_load(r, k);
	if (e)
		return e;
	r->wire->flows_fd = bpf_map__fd(k->maps.flows);
	r->wire->changes = k->bss->owner_changes;
	r->kernel = (struct kernel_tap){
		.marks_fd = bpf_map__fd(k->maps.marks),
		.marks_used = &k->bss->marks_used,
		.sweep_quiet_ns = &k->bss->sweep_quiet_ns,
		.sweep_all = &k->bss->sweep_all,
	};
	r->kernel.sweep = iterator_attach(s, k->obj, "wire_sweep", k->maps.flows);
	if (r->kernel.sweep < 0)
		return r->kernel.sweep;
	return wire_watch(s, &tap, k->obj, k->progs.wire_filter);
}

static void socket_of(const struct exchange *x, bool client, struct wire_socket *out)
{
	*out = (struct wire_socket){
		.local_port = client ? x->remote_port : x->local_port,
		.remote_port = client ? x->local_port : x->remote_port,
		.protocol = 6, /* TCP */
	};
	memcpy(out->local, client ? x->remote : x->local, sizeof(out->local));
	memcpy(out->remote, client ? x->local : x->remote, sizeof(out->remote));
}

/* One that only listens is nobody's end of a connection. Sockets that were open before were looked
 * at when the run began, and each that is used since has told of itself. */
static void wire_owner(struct requests *r, const struct exchange *x, bool client, struct owner *out)
{
	const struct wire *w = r->wire;
	struct wire_socket socket;

	socket_of(x, client, &socket);
	(void)wire_owners_exact(w->owners, &socket, w->changes[WIRE_CHANGE(&socket)], out);
}

/* Flows that are in the table now. */
static uint64_t flows_kept(const struct wire *w)
{
	struct flow_key key;
	uint64_t n = 0;

	if (bpf_map_get_next_key(w->flows_fd, NULL, &key))
		return 0;
	do
		n++;
	while (n < 1u << 20 && !bpf_map_get_next_key(w->flows_fd, &key, &key));
	return n;
}

static void wire_ledger(struct requests *r, struct buf *out)
{
	struct session *s = r->session;
	uint64_t made = session_counter(s, COUNT_FLOWS);
	uint64_t gone = session_counter(s, COUNT_FLOWS_ENDED) + flows_kept(r->wire);

	ledger_line(out, "flows", made, "connections that were followed");
	ledger_line(out, "evicted_flows", made > gone ? made - gone : 0,
		    "connections of these that were forgotten for want of room");
	ledger_line(out, "fragments", session_counter(s, COUNT_FRAGMENTS),
		    "IP fragments, which are not followed");
	if (session_counter(s, COUNT_LATE))
		ledger_line(out, "late", session_counter(s, COUNT_LATE),
			    "segments with new bytes, right after their connection's end");
	if (session_counter(s, COUNT_CONTENDED))
		ledger_line(out, "contended", session_counter(s, COUNT_CONTENDED),
			    "segments left out: another CPU was inside their connection's state");
}

static void wire_close(struct requests *r)
{
	if (!r->wire)
		return;
	wire_owners_free(r->wire->owners);
	free(r->wire);
}

const struct tap tap_wire = {
	.needs = NEED_ROOT | NEED_BTF | NEED_RINGBUF | NEED_STORAGE | NEED_ATOMICS | NEED_NET_RAW,
	.open = wire_open,
	.sweep = sweep_kernel,
	.mark = mark_kernel,
	.owner = wire_owner,
	.ledger = wire_ledger,
	.close = wire_close,
};
