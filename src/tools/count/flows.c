// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* By process: the kernel counts by connection, and whose a connection is, is found out afterwards.
 * So its first packets, which go before any hook can tell, count for their process too. */
#include "loader/wire_owner.h"
#include "tools/count/state.h"

struct flow {
	struct count_key key;
	struct owner owner;
	struct count_sum sum;
	bool exact; /* the owner is that of this very connection */
	bool changed;
	UT_hash_handle hh;
};

struct flows {
	struct flow *all; /* by key */
	struct wire_owners *owners;
};

int flows_open(struct count *c)
{
	c->flows = calloc(1, sizeof(*c->flows));
	if (!c->flows)
		return -ENOMEM;
	return wire_owners_open(c->session, c->kernel->obj, &c->flows->owners);
}

int flows_add(struct count *c, const struct count_key *key, const struct count_sum *sum)
{
	struct flow *f;

	HASH_FIND(hh, c->flows->all, key, sizeof(*key), f);
	if (!f) {
		f = calloc(1, sizeof(*f));
		if (!f)
			return -ENOMEM;
		f->key = *key;
		HASH_ADD(hh, c->flows->all, key, sizeof(f->key), f);
		if (!f)
			return -ENOMEM;
	}
	f->changed |= f->sum.packets != sum->packets;
	f->sum = *sum;
	return 0;
}

static void find_owner(struct count *c, struct flow *f)
{
	const struct count_key *k = &f->key;
	bool client = k->known & KEY_CLIENT;
	struct wire_socket socket = {
		.local_port = client ? k->client_port : k->server_port,
		.remote_port = client ? k->server_port : k->client_port,
		.protocol = k->protocol,
	};

	memcpy(socket.local, client ? k->client : k->server, sizeof(socket.local));
	memcpy(socket.remote, client ? k->server : k->client, sizeof(socket.remote));
	(void)wire_owners_find(c->flows->owners, &socket, &f->owner, &f->exact);
}

/* Returns how many changed ones have no owner. */
static size_t find_owners(struct count *c)
{
	struct flow *f, *next;
	size_t without = 0;

	HASH_ITER(hh, c->flows->all, f, next)
	{
		if (f->exact || !f->changed || !(f->key.known & KEY_PORTS))
			continue;
		find_owner(c, f);
		without += !f->owner.pid;
	}
	return without;
}

int flows_to_lines(struct count *c)
{
	struct flow *f, *next;
	int r = wire_owners_addresses(c->flows->owners);

	if (!r && find_owners(c)) {
		r = wire_owners_refresh(c->flows->owners);
		(void)find_owners(c);
	}
	HASH_ITER(hh, c->flows->all, f, next)
	{
		struct count_key key = {.client = {f->owner.pid, f->owner.start_ns}};

		if (!r)
			r = lines_add(c, &key, &f->owner, &f->sum);
		f->changed = false;
	}
	return r;
}

void flows_free(struct count *c)
{
	struct flow *f, *next;

	if (!c->flows)
		return;
	HASH_ITER(hh, c->flows->all, f, next)
	{
		HASH_DEL(c->flows->all, f);
		free(f);
	}
	wire_owners_free(c->flows->owners);
	free(c->flows);
	c->flows = NULL;
}
