// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* By process: the kernel counts by connection, and whose a connection is, is found out afterwards.
 * So its first packets, which go before any hook can tell, count for their process too. */
#include <bpf/bpf.h>
#include <sys/stat.h>

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
	struct local_addresses local;
	int files_fd; /* of the link of owner_files */
};

/* Every open socket of this namespace into the kernel's table of owners. */
static int read_files(const struct flows *f)
{
	_cleanup_close_ int fd = bpf_iter_create(f->files_fd);
	char text[64];
	ssize_t n;

	if (fd < 0)
		return fd;
	do
		n = read(fd, text, sizeof(text));
	while (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)));
	return n < 0 ? -errno : 0;
}

int flows_open(struct count *c)
{
	struct bpf_link *link = bpf_program__attach_iter(c->kernel->progs.owner_files, NULL);
	int r;

	if (!link)
		return session_fail(c->session, -errno,
				    "cannot attach the iterator over open files (%s): run 'tapline "
				    "doctor'",
				    strerror(errno));
	c->flows = calloc(1, sizeof(*c->flows));
	if (!c->flows) {
		bpf_link__destroy(link);
		return -ENOMEM;
	}
	c->flows->files_fd = bpf_link__fd(link);
	r = session_own_link(c->session, link);
	if (!r)
		r = read_files(c->flows);
	return r ? session_fail(c->session, r, "cannot read the open files: %s", strerror(-r)) : 0;
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
	}
	f->changed |= f->sum.packets != sum->packets;
	f->sum = *sum;
	return 0;
}

static bool find(struct count *c, const struct count_socket *socket, struct flow *f, bool exact)
{
	int map = bpf_map__fd(c->kernel->maps.owners);

	if (bpf_map_lookup_elem(map, socket, &f->owner))
		return false;
	f->exact = exact;
	return true;
}

/* The connection's own socket; else one that takes what comes to its address and port; else one
 * that takes what comes to its port at any address of this host. */
static void find_owner(struct count *c, struct flow *f)
{
	const struct count_key *k = &f->key;
	bool client = k->known & KEY_CLIENT;
	struct count_socket socket = {
		.local_port = client ? k->client_port : k->server_port,
		.remote_port = client ? k->server_port : k->client_port,
		.protocol = k->protocol,
	};
	struct addr local;

	memcpy(socket.local, client ? k->client : k->server, sizeof(socket.local));
	memcpy(socket.remote, client ? k->server : k->client, sizeof(socket.remote));
	memcpy(&local, socket.local, sizeof(local));
	if (find(c, &socket, f, true))
		return;
	memset(socket.remote, 0, sizeof(socket.remote));
	socket.remote_port = 0;
	if (find(c, &socket, f, false) || !local_address_is(&c->flows->local, &local))
		return;
	memset(socket.local, 0, sizeof(socket.local));
	(void)find(c, &socket, f, false);
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
	int r = local_addresses_read(&c->flows->local);

	if (!r && find_owners(c)) {
		r = read_files(c->flows);
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
	local_addresses_free(&c->flows->local);
	free(c->flows);
	c->flows = NULL;
}
