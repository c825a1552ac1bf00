// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Parsers for the text of /proc/PID/{mountinfo,stat,cgroup} and of container managers' state files.
 * Pure, so that they can be fuzzed: paths, process names and state files are chosen by others. */
#pragma once

#include "base/text.h"

/* The next line of *rest, without its newline, which is then taken off *rest. False at the end. */
bool text_line(struct text *rest, struct text *line);

/*
 * One line of /proc/PID/mountinfo (proc(5)). When it is a cgroup v2 mount whose root is the root of
 * what it mounts (not a bind mount of a part), writes its mount point, octal escapes undone and
 * terminated, to out. 0; -ENOENT: another kind of mount; -EINVAL: not such a line; -ENAMETOOLONG.
 */
int mountinfo_cgroup2(struct text line, char *out, size_t size);

/* Field 22 of /proc/PID/stat: start in clock ticks since boot. The name in field 2 may hold
 * anything, so fields are counted from the last ')'. 0 or -EINVAL. */
int proc_stat_start(struct text stat, uint64_t *ticks);

/*
 * The value of a member of the JSON object that document begins with (RFC 8259), raw: a string
 * keeps its quotes and escapes. Only the object's own members match, not those of objects inside
 * it, and strings are skipped as wholes. 0; -ENOENT: no such member; -EINVAL: not an object, or cut
 * off.
 */
int json_member(struct text document, struct text key, struct text *value);

/* The first element of the rest of a JSON array, which is then taken off *rest with the bracket or
 * comma before it. False at the end, or where the text is not an array. */
bool json_element(struct text *rest, struct text *element);

/* The inside of a raw JSON string value; empty when value is not a string. */
struct text json_string(struct text value);
