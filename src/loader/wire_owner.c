// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Owners of sockets by the names in their packets: asked of the kernel's table, which hooks fill
 * and an iterator over open files completes. */
#include "loader/wire_owner.h"

#include <bpf/bpf.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/hash.h"
#include "host/local_address.h"
#include "loader/iterator.h"

/* Rows are made many at a time, and asking the kernel costs more than the rest of a row. No longer
 * than that, as owners change. */
#define KEEP_NS 2000000
#define SLOTS   256

struct answer {
	struct wire_socket socket;
	struct owner owner; /* pid 0: none is known */
	uint64_t asked_ns;
};

/* Ends of calls, whose connections have many. */
#define EXACT_SLOTS 2048

struct exact_answer {
	struct wire_socket socket;
	struct owner owner; /* pid 0: none is known */
	uint32_t changes;
	bool asked;
};

struct wire_owners {
	int map;   /* struct wire_socket -> struct owner */
	int files; /* of the iterator's link; the session's */
	struct local_addresses local;
	struct iterator_budget budget;
	uint64_t seed;
	struct answer answers[SLOTS];
	struct exact_answer exact[EXACT_SLOTS];
};

static const char *const programs[] = {"owner_send", "owner_receive", "owner_read", "owner_state",
				       "owner_files"};
static const char *const maps[] = {"owners", "users"};

/* Both exist from 6.3. Without them, who sends or gets datagrams is found by the iterator, while
 * the socket is open. */
static const struct rung ladder_owner_send[] = {
	{"owner_send", "tp_btf/sock_send_length", NULL},
	{NULL, NULL, NULL},
};
static const struct rung ladder_owner_receive[] = {
	{"owner_receive", "tp_btf/sock_recv_length", NULL},
	{NULL, NULL, NULL},
};

int wire_owners_prepare(struct session *s, struct bpf_object *obj, uint32_t *network_namespace)
{
	struct stat st;

	if (stat("/proc/self/ns/net", &st))
		return session_fail(s, -errno,
				    "cannot tell the network namespace: /proc/self/ns/net: %s",
				    strerror(errno));
	*network_namespace = (uint32_t)st.st_ino;
	(void)session_choose(s, obj, ladder_owner_send);
	(void)session_choose(s, obj, ladder_owner_receive);
	return 0;
}

void wire_owners_disable(struct bpf_object *obj)
{
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		bpf_program__set_autoload(bpf_object__find_program_by_name(obj, programs[i]),
					  false);
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		(void)bpf_map__set_autocreate(bpf_object__find_map_by_name(obj, maps[i]), false);
}

int wire_owners_open(struct session *s, struct bpf_object *obj, struct wire_owners **out)
{
	int r, files = iterator_attach(s, obj, "owner_files", NULL);
	struct wire_owners *w;

	if (files < 0)
		return files;
	w = calloc(1, sizeof(*w));
	if (!w)
		return session_fail(s, -ENOMEM, "no room for owners");
	w->seed = hash_seed();
	w->map = bpf_object__find_map_fd_by_name(obj, "owners");
	w->files = files;
	r = wire_owners_addresses(w);
	if (!r)
		r = wire_owners_refresh(w);
	if (r) {
		wire_owners_free(w);
		return session_fail(s, r, "cannot read the open files: %s", strerror(-r));
	}
	*out = w;
	return 0;
}

void wire_owners_free(struct wire_owners *w)
{
	if (!w)
		return;
	local_addresses_free(&w->local);
	free(w);
}

/* *key: under which it was found. */
static bool find(const struct wire_owners *w, const struct wire_socket *socket,
		 struct wire_socket *key, struct owner *out)
{
	struct addr local;

	*key = *socket;
	if (!bpf_map_lookup_elem(w->map, key, out))
		return true;
	memset(key->remote, 0, sizeof(key->remote));
	key->remote_port = 0;
	if (!bpf_map_lookup_elem(w->map, key, out))
		return true;
	memcpy(&local, key->local, sizeof(local));
	memset(key->local, 0, sizeof(key->local));
	return local_address_is(&w->local, &local) && !bpf_map_lookup_elem(w->map, key, out);
}

bool wire_owners_find(const struct wire_owners *w, const struct wire_socket *socket,
		      struct owner *out, bool *exact)
{
	struct wire_socket key;

	if (!find(w, socket, &key, out))
		return false;
	*exact = memcmp(&key, socket, sizeof(key)) == 0;
	return true;
}

bool wire_owners_exact(struct wire_owners *w, const struct wire_socket *socket, uint32_t changes,
		       struct owner *out)
{
	struct exact_answer *a =
		&w->exact[hash_bytes(socket, sizeof(*socket), w->seed) % EXACT_SLOTS];

	if (!a->asked || a->changes != changes ||
	    memcmp(&a->socket, socket, sizeof(*socket)) != 0) {
		*a = (struct exact_answer){*socket, {0}, changes, true};
		(void)bpf_map_lookup_elem(w->map, socket, &a->owner);
	}
	if (a->owner.pid)
		*out = a->owner;
	return a->owner.pid != 0;
}

/* A local address, and a file: either may be new. */
static void look(struct wire_owners *w, const struct addr *local)
{
	if (!wire_owners_addresses(w) && local_address_is(&w->local, local))
		(void)wire_owners_refresh(w);
}

static bool is_gone(uint32_t pid)
{
	char path[32];
	struct buf b = BUF_ON(path);
	struct stat st;

	buf_printf(&b, "/proc/%u", pid);
	return stat(path, &st) && errno == ENOENT;
}

/*
 * A socket of just these names was this process's, though it may have gone since. One that takes
 * what comes to a port may have a successor that has not read yet; where there is none, it was the
 * one that has gone.
 */
static void seek(struct wire_owners *w, const struct wire_socket *socket, uint64_t now,
		 struct owner *out)
{
	struct wire_socket key;
	struct addr local;
	bool found = find(w, socket, &key, out);

	if (found && (!memcmp(&key, socket, sizeof(key)) || !is_gone(out->pid)))
		return;
	if (!iterator_may_run(&w->budget, now))
		return;
	if (found)
		(void)bpf_map_delete_elem(w->map, &key);
	memcpy(&local, socket->local, sizeof(local));
	look(w, &local);
	iterator_ran(&w->budget, now);
	if (found)
		(void)bpf_map_update_elem(w->map, &key, out, BPF_NOEXIST);
	(void)find(w, socket, &key, out);
}

bool wire_owners_seek(struct wire_owners *w, const struct wire_socket *socket, struct owner *out)
{
	uint64_t now = clock_mono_ns();
	struct answer *a = &w->answers[hash_bytes(socket, sizeof(*socket), w->seed) % SLOTS];

	if (now - a->asked_ns > KEEP_NS || memcmp(&a->socket, socket, sizeof(*socket)) != 0) {
		*a = (struct answer){.socket = *socket, .asked_ns = now};
		seek(w, socket, now, &a->owner);
	}
	if (a->owner.pid)
		*out = a->owner;
	return a->owner.pid != 0;
}

int wire_owners_addresses(struct wire_owners *w)
{
	return local_addresses_read(&w->local);
}

int wire_owners_refresh(struct wire_owners *w)
{
	return iterator_run(w->files);
}
