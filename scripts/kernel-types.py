#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Makes src/kernel/types.h: the few kernel structs that tapline reads, cut down to the fields it reads.

A whole vmlinux.h is 130,000 lines of one machine's kernel; this page is readable, builds where there is
no BTF, and CO-RE relocates its fields by name. Run it after editing src/kernel/types.list:
    scripts/kernel-types.py [BTF file]
"""
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BTF = sys.argv[1] if len(sys.argv) > 1 else "/sys/kernel/btf/vmlinux"
HEAD = """// SPDX-License-Identifier: GPL-2.0-only
/* Kernel types, cut down to the fields that are read. Made by scripts/kernel-types.py from types.list;
 * do not edit. CO-RE finds each field's real offset by its name when the program is loaded. */
#pragma once

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include "abi/types.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

"""
INTS = {(1, False): "u8", (2, False): "u16", (4, False): "u32", (8, False): "u64",
        (1, True): "signed char", (2, True): "short", (4, True): "s32", (8, True): "s64"}


def load():
    tool = "/usr/sbin/bpftool" if Path("/usr/sbin/bpftool").exists() else "bpftool"
    out = subprocess.run([tool, "-j", "btf", "dump", "file", BTF, "format", "raw"],
                         check=True, capture_output=True).stdout
    return {t["id"]: t for t in json.loads(out)["types"]}


def strip(types, tid):
    while tid and types[tid]["kind"] in ("TYPEDEF", "CONST", "VOLATILE", "TYPE_TAG", "RESTRICT"):
        tid = types[tid]["type_id"]
    return tid


def declare(types, tid, name):
    """The C declaration of a field of type tid, and the struct that it needs declared before."""
    t = types.get(strip(types, tid))
    if t is None:
        return f"void {name}", None
    kind = t["kind"]
    if kind == "INT":
        if t.get("encoding") == "CHAR" or t["name"] == "char":
            return f"char {name}", None
        return f"{INTS[(t['size'], t.get('encoding') == 'SIGNED')]} {name}", None
    if kind == "ENUM":
        return f"u32 {name}", None
    if kind == "ARRAY":
        return declare(types, t["type_id"], f"{name}[{t['nr_elems']}]")
    if kind == "PTR":
        target = types.get(strip(types, t["type_id"]))
        if target is not None and target["kind"] in ("STRUCT", "FWD") and target["name"] != "(anon)":
            return f"struct {target['name']} *{name}", target["name"]
        return f"void *{name}", None
    if kind == "STRUCT":
        return f"struct {t['name']} {name}", None
    raise SystemExit(f"{name}: kind {kind} is not supported")


def find(types, struct, name):
    """A member by name, also inside anonymous structs and unions: (type id)."""
    for m in struct["members"]:
        inner = types.get(strip(types, m["type_id"]))
        if m["name"] == name:
            return m["type_id"]
        if m["name"] == "(anon)" and inner and inner["kind"] in ("STRUCT", "UNION"):
            got = find(types, inner, name)
            if got is not None:
                return got
    return None


def main():
    types = load()
    by_name = {t["name"]: t for t in types.values() if t["kind"] == "STRUCT" and t.get("members")}
    body, forward, defined = [], [], set()
    for line in (ROOT / "src/kernel/types.list").read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        head, fields = line.split(":")
        name = head.split()[1]
        defined.add(name)
        text = f"struct {name} {{\n"
        for field in fields.split():
            tid = find(types, by_name[name], field)
            if tid is None:
                raise SystemExit(f"struct {name} has no field {field} in {BTF}")
            decl, needs = declare(types, tid, field)
            if needs:
                forward.append(needs)
            text += f"\t{decl};\n"
        body.append(text + "};\n")
    out = HEAD + "".join(f"struct {f};\n" for f in dict.fromkeys(forward)) + "\n" + "\n".join(body)
    out += "\n#pragma clang attribute pop\n"
    (ROOT / "src/kernel/types.h").write_text(out)


if __name__ == "__main__":
    main()
