// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The smallest programs that tell whether the kernel takes a kind of program: loaded, closed again.
 * Behind feature.h; nothing else should need it. */
#pragma once

#include "base/def.h"

/* Loads `return 0` of a type, with an attach type and the BTF id it attaches to (0: none).
 * 0 or the kernel's -errno. */
int probe_load(unsigned type, unsigned attach_type, unsigned btf_id);

/* Loads a program with an atomic addition that returns what was there. 0 or -errno. */
int probe_atomics(void);

/* Loads a tp_btf program that asks for a socket's storage. 0 or -errno. */
int probe_storage(void);
