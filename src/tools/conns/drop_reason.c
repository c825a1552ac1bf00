// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Names of the kernel's reasons to drop a packet (include/net/dropreason-core.h), from its own BTF:
 * their numbers move with every release. */
#include <bpf/btf.h>

#include "tools/conns/state.h"

#define PREFIX "SKB_DROP_REASON_"

static int read_names(const struct btf *btf, struct drop_reasons *d)
{
	int id = btf__find_by_name_kind(btf, "skb_drop_reason", BTF_KIND_ENUM);
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(btf, (uint32_t)id);

	if (!t)
		return -ENOENT;
	for (unsigned i = 0; i < btf_vlen(t); i++) {
		const struct btf_enum *e = btf_enum(t) + i;
		const char *name = btf__name_by_offset(btf, e->name_off);

		if (e->val < 0 || e->val >= DROP_REASONS || d->names[e->val] ||
		    strncmp(name, PREFIX, strlen(PREFIX)) != 0)
			continue;
		d->names[e->val] = strdup(name + strlen(PREFIX));
		if (!d->names[e->val])
			return -ENOMEM;
	}
	return 0;
}

/* The tracepoint's type is a pointer to a function; its first argument is none of the event's. */
static int count_arguments(const struct btf *btf, struct drop_reasons *d)
{
	int id = btf__find_by_name_kind(btf, "btf_trace_kfree_skb", BTF_KIND_TYPEDEF);
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(btf, (uint32_t)id);

	while (t && (btf_is_typedef(t) || btf_is_ptr(t)))
		t = btf__type_by_id(btf, t->type);
	if (!t || !btf_is_func_proto(t) || btf_vlen(t) < 2)
		return -ENOENT;
	d->arguments = btf_vlen(t) - 1u;
	return 0;
}

int drop_reasons_read(struct drop_reasons *d)
{
	struct btf *btf = btf__load_vmlinux_btf();
	struct drop_reasons got = {0};
	int r;

	if (!btf)
		return -errno;
	r = read_names(btf, &got);
	if (!r)
		r = count_arguments(btf, &got);
	btf__free(btf);
	if (r)
		drop_reasons_free(&got);
	else
		*d = got;
	return r;
}

uint32_t drop_reason(const struct drop_reasons *d, const char *name)
{
	for (uint32_t i = 1; i < DROP_REASONS; i++)
		if (d->names[i] && !strcmp(d->names[i], name))
			return i;
	return 0;
}

void drop_reasons_free(struct drop_reasons *d)
{
	for (unsigned i = 0; i < DROP_REASONS; i++)
		free(d->names[i]);
	*d = (struct drop_reasons){0};
}
