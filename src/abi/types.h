// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Fixed-size integers under one set of names for both compilers, and how layouts are sealed.
 * Records cross from BPF to user space as plain structs, so both sides must agree on every byte. */
#pragma once

#include <stdbool.h>

#ifdef __bpf__
#include <linux/types.h>
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
#else
#include <stdint.h>
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;
#endif

#define ABI_SIZE(type, size)                                                                       \
	_Static_assert(sizeof(type) == (size), #type " is shared with the kernel side")

#define COMM_LEN 16 /* TASK_COMM_LEN of include/linux/sched.h */
