// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The smallest programs that tell whether the kernel takes a kind of program: loaded, closed again.
 * Raw instructions, so that a probe costs no object file and no libbpf relocation. */
#include "loader/probe.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>

#include "loader/feature.h"

#define MOV_IMM(dst, value)                                                                        \
	((struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (dst), .imm = (value)})
#define LOAD_U64(dst, src, offset)                                                                 \
	((struct bpf_insn){.code = BPF_LDX | BPF_MEM | BPF_DW,                                     \
			   .dst_reg = (dst),                                                       \
			   .src_reg = (src),                                                       \
			   .off = (offset)})
#define LOAD_MAP_FD(dst, fd)                                                                       \
	((struct bpf_insn){.code = BPF_LD | BPF_DW | BPF_IMM,                                      \
			   .dst_reg = (dst),                                                       \
			   .src_reg = BPF_PSEUDO_MAP_FD,                                           \
			   .imm = (fd)}),                                                          \
		((struct bpf_insn){0})
#define CALL(helper) ((struct bpf_insn){.code = BPF_JMP | BPF_CALL, .imm = (helper)})
#define EXIT         ((struct bpf_insn){.code = BPF_JMP | BPF_EXIT})

static struct btf *kernel_types;

static int load(unsigned type, unsigned attach_type, unsigned btf_id, const struct bpf_insn *insns,
		size_t n)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach_type,
		    .attach_btf_id = btf_id);
	_cleanup_close_ int fd = bpf_prog_load(type, "probe", "GPL", insns, n, &opts);

	return fd < 0 ? fd : 0;
}

int probe_load(unsigned type, unsigned attach_type, unsigned btf_id)
{
	const struct bpf_insn insns[] = {MOV_IMM(BPF_REG_0, 0), EXIT};

	return load(type, attach_type, btf_id, insns, ARRAY_SIZE(insns));
}

int probe_atomics(void)
{
	const struct bpf_insn store = {.code = BPF_STX | BPF_MEM | BPF_DW,
				       .dst_reg = BPF_REG_10,
				       .src_reg = BPF_REG_0,
				       .off = -8};
	const struct bpf_insn add = {.code = BPF_STX | BPF_ATOMIC | BPF_DW,
				     .dst_reg = BPF_REG_10,
				     .src_reg = BPF_REG_0,
				     .off = -8,
				     .imm = BPF_ADD | BPF_FETCH};
	const struct bpf_insn insns[] = {MOV_IMM(BPF_REG_0, 0), store, add, MOV_IMM(BPF_REG_0, 0),
					 EXIT};

	return load(BPF_PROG_TYPE_SOCKET_FILTER, 0, 0, insns, ARRAY_SIZE(insns));
}

/* btf__load_vmlinux_btf() reads the same file in pieces of 4 KB, which takes twice as long. */
static struct btf *load_kernel_types(void)
{
	_cleanup_close_ int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	size_t cap = 32 << 20, len = 0;
	_cleanup_free_ char *data = NULL;
	ssize_t n;

	if (fd < 0)
		return btf__load_vmlinux_btf(); /* it looks in other places, too */
	data = malloc(cap);
	if (!data)
		return NULL;
	while (len < cap && (n = read(fd, data + len, cap - len)) > 0)
		len += (size_t)n;
	return btf__new(data, (uint32_t)len);
}

/* The id of prefix + target among the kernel's types, or -errno. */
static int kernel_type(const char *prefix, const char *target, unsigned kind)
{
	char name[128];

	if (!kernel_types)
		kernel_types = load_kernel_types();
	if (!kernel_types)
		return -ENOTSUP;
	if (snprintf(name, sizeof(name), "%s%s", prefix, target) >= (int)sizeof(name))
		return -ENOENT;
	int id = btf__find_by_name_kind(kernel_types, name, kind);

	return id > 0 ? id : -ENOENT;
}

int feature_args(const char *function)
{
	int id = kernel_type("", function, BTF_KIND_FUNC);
	const struct btf_type *t;

	if (id < 0)
		return id;
	t = btf__type_by_id(kernel_types, btf__type_by_id(kernel_types, (uint32_t)id)->type);
	return btf_vlen(t);
}

void feature_done(void)
{
	btf__free(kernel_types);
	kernel_types = NULL;
}

/* ---- socket storage ---- */

/* Socket storage wants its key and value described by BTF: an int each. */
static int storage_map(void)
{
	struct btf *types = btf__new_empty();
	int map = -ENOMEM, id;

	if (!types)
		return -ENOMEM;
	id = btf__add_int(types, "int", 4, BTF_INT_SIGNED);
	if (id > 0)
		map = btf__load_into_kernel(types);
	if (id > 0 && map == 0) {
		LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC,
			    .btf_fd = (uint32_t)btf__fd(types), .btf_key_type_id = (uint32_t)id,
			    .btf_value_type_id = (uint32_t)id);

		map = bpf_map_create(BPF_MAP_TYPE_SK_STORAGE, "probe", 4, 4, 0, &opts);
	}
	btf__free(types);
	return map;
}

int probe_storage(void)
{
	int id = kernel_type("btf_trace_", "inet_sock_set_state", BTF_KIND_TYPEDEF);

	if (id < 0)
		return id;
	_cleanup_close_ int map = storage_map();

	if (map < 0)
		return map;
	const struct bpf_insn insns[] = {
		LOAD_U64(BPF_REG_2, BPF_REG_1, 0), /* the tracepoint's first argument: the socket */
		LOAD_MAP_FD(BPF_REG_1, map),       MOV_IMM(BPF_REG_3, 0), MOV_IMM(BPF_REG_4, 0),
		CALL(BPF_FUNC_sk_storage_get),     MOV_IMM(BPF_REG_0, 0), EXIT,
	};

	return load(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, (unsigned)id, insns,
		    ARRAY_SIZE(insns));
}

/* ---- hooks ---- */

static const struct tracing {
	const char *kind, *prefix;
	unsigned attach_type, btf_kind;
} tracings[] = {
	{"tp_btf", "btf_trace_", BPF_TRACE_RAW_TP, BTF_KIND_TYPEDEF},
	{"fentry", "", BPF_TRACE_FENTRY, BTF_KIND_FUNC},
	{"fexit", "", BPF_TRACE_FEXIT, BTF_KIND_FUNC},
	{"iter", "bpf_iter_", BPF_TRACE_ITER, BTF_KIND_FUNC},
};

static int try_tracing(const char *kind, const char *target)
{
	for (unsigned i = 0; i < ARRAY_SIZE(tracings); i++) {
		const struct tracing *t = &tracings[i];

		if (strcmp(t->kind, kind) != 0)
			continue;
		int id = kernel_type(t->prefix, target, t->btf_kind);

		return id < 0 ? id
			      : probe_load(BPF_PROG_TYPE_TRACING, t->attach_type, (unsigned)id);
	}
	return -ENOTSUP;
}

int feature_tracing(const char *kind, const char *target)
{
	static struct {
		char hook[80];
		int result;
	} cache[32];
	static unsigned n;
	char hook[sizeof(cache[0].hook)];
	int len = snprintf(hook, sizeof(hook), "%s/%s", kind, target);

	for (unsigned i = 0; i < n; i++)
		if (!strcmp(cache[i].hook, hook))
			return cache[i].result;
	int result = try_tracing(kind, target);

	if (n < ARRAY_SIZE(cache) && len < (int)sizeof(hook)) {
		memcpy(cache[n].hook, hook, sizeof(hook));
		cache[n++].result = result;
	}
	return result;
}

/* A tracepoint is attached by its number in tracefs, which has two usual places. */
static int try_tracepoint(const char *target)
{
	static const char *const mounts[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
	char path[256];
	int err = -ENOENT;

	for (unsigned i = 0; i < ARRAY_SIZE(mounts); i++) {
		if (snprintf(path, sizeof(path), "%s/events/%s/id", mounts[i], target) >=
		    (int)sizeof(path))
			return -ENOENT;
		if (access(path, R_OK) == 0)
			return 0;
		if (errno == EACCES)
			err = -EACCES;
	}
	return err;
}

int feature_hook(const char *hook)
{
	const char *slash = strchr(hook, '/');
	char kind[16];

	if (!slash || (size_t)(slash - hook) >= sizeof(kind))
		return -ENOTSUP;
	memcpy(kind, hook, (size_t)(slash - hook));
	kind[slash - hook] = 0;
	if (!strcmp(kind, "tracepoint"))
		return try_tracepoint(slash + 1);
	if (strcmp(kind, "kprobe") != 0)
		return feature_tracing(kind, slash + 1);
	int err = feature_check(FEATURE_KPROBE);

	if (!err)
		err = kernel_type("", slash + 1, BTF_KIND_FUNC);
	return err < 0 ? err : 0;
}
