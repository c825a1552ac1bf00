// SPDX-License-Identifier: GPL-2.0-only
/* Bytes of a packet read without a call. A helper that copies them costs more than all that is then
 * done with them, most of all on CPUs that are made to be careful with each return. */
#pragma once

#include "kernel/bpf.h"

/* From 6.2, kernel/bpf/helpers.c. No calls either: the verifier makes moves of them. */
extern void *bpf_cast_to_kern_ctx(void *context) __ksym __weak;
extern void *bpf_rdonly_cast(const void *p, u32 type) __ksym __weak;

/* What the verifier knows of such functions, kernel/bpf/verifier.c: it tells whether they are
 * there. */
enum special_kfunc_type { KF_bpf_cast_to_kern_ctx, KF_bpf_rdonly_cast };

/* A type that begins with more plain bytes than any header has, include/uapi/linux/utsname.h. */
struct new_utsname {
	char sysname[65];
};

/* n bytes (a constant, at most 65) at offset `at` of the packet. False: it is for the helper to
 * say, as they are not all in its linear part, or this kernel cannot do it. */
ALWAYS_INLINE bool direct_load(struct __sk_buff *context, u32 at, void *to, const u32 n)
{
	struct sk_buff *skb;
	const void *from;
	u32 linear, done = 0;

	if (!bpf_core_enum_value_exists(enum special_kfunc_type, KF_bpf_rdonly_cast))
		return false;
	skb = bpf_cast_to_kern_ctx(context);
	linear = skb->len - skb->data_len;
	if (at > linear || linear - at < n)
		return false;
	from = bpf_rdonly_cast(skb->data + at, bpf_core_type_id_kernel(struct new_utsname));
#define COPY(type)                                                                                 \
	for (; done + sizeof(type) <= n; done += sizeof(type)) {                                   \
		type piece = *(const type *)(from + done);                                         \
		__builtin_memcpy(to + done, &piece, sizeof(type));                                 \
	}
	COPY(u64)
	COPY(u32)
	COPY(u16)
	COPY(u8)
#undef COPY
	return true;
}
