# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a tapline that has ended could leave in the kernel and on the machine: programs, maps, links, pins, mounts, files.
Asked of the kernel (bpftool, descriptors, mounts), so that a tapline of somebody else is not taken for ours."""

import contextlib
import glob
import json
import os
import re

from lib import Skip, Tapline, run, wait_for


def listed(kind):
    """What bpftool shows; it gives up where an object of somebody's goes between its number and its look."""
    def shown():
        done = run("bpftool", "-j", kind, "show", check=False)
        return done if done.returncode == 0 else None

    return json.loads(wait_for(shown, 20, f"bpftool {kind} show").stdout or "[]")


def bpf_objects():
    """{(kind, id): entry} of every BPF program, map and link of this machine."""
    return {(kind, e["id"]): e for kind in ("prog", "map", "link") for e in listed(kind)}


def held(pid):
    """{(kind, id)} of what a process holds open, by what the kernel says of its descriptors."""
    found = set()
    for path in glob.glob(f"/proc/{pid}/fdinfo/*"):
        with contextlib.suppress(OSError), open(path, encoding="ascii") as f:
            words = dict(line.split(":", 1) for line in f if ":" in line)
            for kind in ("link", "prog", "map"):  # a link's lines name its program too
                if f"{kind}_id" in words:
                    found.add((kind, int(words[f"{kind}_id"])))
                    break
    return found


def ours(*args, **more):
    """Names of the programs and maps of a tapline with these arguments."""
    with Tapline(*(args or ("--port", 1)), **more) as tap:
        mine, objects = held(tap.pid), bpf_objects()
    assert {"prog", "map"} <= {kind for kind, _ in mine}, mine
    return {(kind, objects[kind, i].get("name")) for kind, i in mine if kind != "link"}


def left_behind(before, names):
    """New objects with tapline's names that no living process holds; a tapline of somebody else may
    have come meanwhile."""
    now = bpf_objects()
    left = {k for k, e in now.items() if k not in before and (k[0], e.get("name")) in names}
    progs = {i for kind, i in left if kind == "prog"}
    left |= {k for k, e in now.items() if k[0] == "link" and e.get("prog_id") in progs}
    for pid in (p for p in os.listdir("/proc") if left and p.isdigit()):
        for kind, i in held(pid):
            left.discard((kind, i))
            if kind == "prog":
                left -= {("map", m) for m in now.get((kind, i), {}).get("map_ids", [])}
    return left


def traces():
    """What a run could leave outside of BPF: pins, mounts, cgroups, files. Not what tests make."""
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        mounts = [line.split()[4] for line in f]
    found = glob.glob("/sys/fs/bpf/**", recursive=True)
    for pattern in (f"{cgroup_root()}/**/*tapline*", "/tmp/tapline*", "/run/tapline*", "/dev/shm/*"):
        found += glob.glob(pattern, recursive=True)
    return {"mounts": sorted(m for m in mounts if not m.startswith("/run/netns")),
            "files": sorted(p for p in found if not re.search("tapline-(test|nginx|script|matrix)-", p))}


def cgroup_root():
    """Where cgroup v2 is mounted."""
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        for line in f:
            if " - cgroup2 " in line:
                return line.split()[4]
    raise Skip("cgroup v2 is not mounted")


def wait_gone(before, names, what):
    """Until no BPF object of these names is left; the kernel frees programs and maps a moment later."""
    left = {}

    def is_gone():
        left.clear()
        objects = bpf_objects()
        left.update({k: objects.get(k) for k in left_behind(before, names)})
        return not left

    try:
        wait_for(is_gone, 20, what)
    except AssertionError:
        raise AssertionError(f"{what}: left are {left}") from None


@contextlib.contextmanager
def nothing_left(names):
    """What the block starts and ends leaves nothing: neither BPF objects of these names nor pins, mounts, files."""
    before, before_traces = bpf_objects(), traces()
    yield
    wait_gone(before, names, "BPF objects")
    now = traces()
    assert now == before_traces, f"{now} was {before_traces}"
