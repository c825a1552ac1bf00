# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What touches the whole machine, so in guests only: the clock is stepped, a CPU goes, cgroup v2 is not mounted, memory
is short. Counts stay exact, what has no room is counted, and nothing crashes."""

import datetime
import os
import subprocess
import time

from left import cgroup_root, nothing_left, ours
from lib import (Nginx, Proc, Skip, Tapline, ab, at_least, counter, curl, equal, guest_only, ledger_number, run,
                 start_tapline, timeout, wait_for, wait_ready, TAPLINE)


def when(row):
    return datetime.datetime.fromisoformat(row["time"]).timestamp()


def step_clock(seconds):
    time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)


@timeout(600)
def test_a_stepped_clock():
    """Times follow it, from the next row on; durations know nothing of it."""
    guest_only("stepping the clock")
    with Nginx() as n, Tapline("--port", n.port, wait=100) as t, Tapline("--port", n.port, tool="conns", wait=100) as c:
        for i, seconds in enumerate((0, 86400, -2 * 86400, 3600)):
            step_clock(seconds)
            time.sleep(0.5)
            before = time.time()
            curl(n.url(f"/{i}"))
            after = time.time()
            row = t.expect_rows(1, seconds=60, path=f"/{i}")[0]
            assert before - 1 <= when(row) <= after + 1, f"after {seconds} s: {row['time']}, it was {before} to {after}"
            at_least(row["total_us"], 0, "duration")
            assert row["total_us"] / 1e6 <= after - before + 1, f"duration of {row}"
        step_clock(86400)  # as it was, nearly
        rows, events = t.stop(seconds=60), c.stop(seconds=60)
    equal(len(rows), 4, "rows")
    for row in rows + events:
        for name, value in row.items():
            assert not name.endswith("_us") or value is None or 0 <= value < 60e6, f"{name} of {row}"
    equal(len([e for e in events if e["event"] == "connect"]), 4, "connects")


@timeout(900)
def test_a_cpu_that_goes_and_comes():
    """Calls, connections and packets that were while a CPU went and came again are all there. By perf buffers, the
    kernel takes nothing more on a CPU that was away, and that is counted."""
    guest_only("taking a CPU away")
    switch = "/sys/devices/system/cpu/cpu1/online"
    if not os.path.exists(switch):
        raise Skip("this guest has one CPU, or it cannot be taken away: --cpus 2")
    calls = 300

    def turn(value):
        with open(switch, "w", encoding="ascii") as f:
            f.write(value)

    with Nginx(workers=2) as n, Tapline("--port", n.port, wait=100) as t, \
            Tapline("--port", n.port, "--event", "accept", "--transport", "perf", tool="conns", wait=100) as perf, \
            Tapline("--port", n.port, "--event", "accept", tool="conns", wait=100) as ring:
        before = counter("TcpPassiveOpens")
        for i, value in enumerate("010"):
            with Proc("ab", "-q", "-n", calls, "-c", 5, n.url(f"/{i}")) as load:
                time.sleep(0.5)
                turn(value)
                equal(load.p.wait(200), 0, "ab")
        turn("1")
        equal(len(n.log(3 * calls)), 3 * calls, "nginx's log")
        connections = counter("TcpPassiveOpens") - before  # ab opens some too many
        for tap, want in ((t, 3 * calls), (ring, connections), (perf, connections)):
            if tap != perf:
                tap.expect_rows(want, seconds=60)
            rows, lost = len(tap.stop(seconds=60)), tap.ledger("lost_ring")
            print(f"{tap.args}: {rows} rows, {lost} lost")
            equal(rows + lost, want, f"rows and lost records of {tap.args}")
            if tap != perf:
                equal(lost, 0, "lost records")


@timeout(600)
def test_cgroup_v2_not_mounted():
    """tapline mounts it for itself: rows, and no mount for anybody else. (A machine on which nobody has it.)"""
    guest_only("unmounting cgroup v2")
    root = cgroup_root()
    run("umount", root)
    try:
        with Nginx() as n, Tapline("--port", n.port, wait=100) as t:
            curl(n.url("/unmounted"))
            t.expect_rows(1, seconds=60, path="/unmounted")
            with open("/proc/mounts", encoding="ascii") as f:
                assert " cgroup2 " not in f.read(), "a mount that others see"
            equal(len(t.stop(seconds=60)), 1, "rows")
    finally:
        run("mount", "-t", "cgroup2", "cgroup", root)


def limited(limit):
    """A cgroup of so many bytes, without swap."""
    path = f"{cgroup_root()}/short"
    with open(f"{cgroup_root()}/cgroup.subtree_control", "w", encoding="ascii") as f:
        f.write("+memory")
    os.makedirs(path, exist_ok=True)
    with open(f"{path}/memory.max", "w", encoding="ascii") as f:
        f.write(str(limit))
    return path


@timeout(900)
def test_short_memory():
    """In a cgroup that is too small the kernel ends the run, or refuses maps: a sentence, or SIGKILL, and nothing stays.
    In one that is just large enough, every call is a row or in the ledger."""
    guest_only("a memory limit")
    if "memory" not in open(f"{cgroup_root()}/cgroup.controllers", encoding="ascii").read():
        raise Skip("this kernel has no memory controller")
    ended = []
    with Nginx() as n, nothing_left(ours(wait=100)):
        for mib in (2, 4, 8, 16, 32, 64, 128):
            path = limited(mib << 20)
            p, ready = start_tapline(["sh", "-c", f'echo $$ >{path}/cgroup.procs && exec "$@"', "sh", TAPLINE,
                                      "requests", "-o", "json", "--port", str(n.port)], stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, text=True)
            try:
                wait_ready(ready, 100)
                ab(n.url(f"/{mib}"), 500)
                time.sleep(1)
                p.terminate()
            except AssertionError as why:
                assert "ended before" in str(why), why
            out, err = p.communicate(timeout=100)
            ended.append((mib, p.returncode))
            if p.returncode == 0:
                lost = ledger_number(err, "lost_ring")
                at_least(out.count("\n") + lost, 500, f"rows and lost records with {mib} MiB")
            elif p.returncode == 1:
                equal(len([line for line in err.splitlines() if line.startswith("tapline: ")]), 1, err)
            else:
                equal(p.returncode, -9, f"exit status with {mib} MiB: {err}")
            wait_for(lambda: not open(f"{path}/cgroup.procs", encoding="ascii").read(), 10, "the cgroup to be empty")
            os.rmdir(path)
    print(ended)
    equal(ended[-1][1], 0, "exit status with 128 MiB")
