// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A container's or a unit's name from the text of a cgroup path.
 * Pure: container managers agree on nothing but that the id or name is in the path. */
#pragma once

#include "base/text.h"

/* 12 hex digits, or a unit's name: longer names are cut to fit, terminated. */
#define CONTAINER_NAME_MAX 64

/* What a cgroup path names, the better answer last. */
enum container_kind {
	CONTAINER_NONE, /* the root, a session, a slice */
	CONTAINER_UNIT, /* a systemd service */
	CONTAINER_BOX,  /* a container or machine */
};

/*
 * The container of a cgroup path ("/system.slice/docker-ID.scope") or of a line of /proc/PID/cgroup
 * ("0::/..."): 12 hex digits of its id, its name for LXC and systemd-nspawn, or else the innermost
 * systemd service. out, of CONTAINER_NAME_MAX bytes, is untouched for CONTAINER_NONE.
 */
enum container_kind container_name(struct text path, char *out);

/* The 64 hex digits of the container id in one component of a cgroup path ("docker-ID.scope",
 * "kubepods-podUID.slice:cri-containerd:ID", "ID"), or an empty text. Monitors (conmon) are none.
 */
struct text container_id_of(struct text component);
