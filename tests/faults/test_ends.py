# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Ends of a run at any moment: by signals while it starts, runs and stops, and by outputs that take no more.

TAPLINE_ENDS: how many runs test_signals_at_random_moments ends (200). TAPLINE_SEED: its seed, which it prints."""

import contextlib
import ctypes
import os
import random
import signal
import subprocess
import time

from left import bpf_objects, nothing_left, ours, traces, wait_gone
from lib import (TAPLINE, Nginx, ab, alone, at_least, children, equal, start_tapline, temp_dir, timeout, wait_for,
                 wait_ready)
from steady import traffic

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97)

TOOLS = ("requests -o json", "requests -i lo -o json", "requests -w DIR/frames -C 1", "conns", "count -i lo 1",
         "packets -i lo", "latency 1", "top 1", "hello")

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM)


def no_more_than(processes):
    """Has what a run started ended? Its orphans are this process's children then (a subreaper)."""
    for pid in set(children(os.getpid())) - set(processes):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return children(os.getpid()) == processes


def end_one(rnd, words):
    """A run that a signal ends while it starts, runs or stops: what was done, and its exit status."""
    phase, with_signal = rnd.choice(("start", "run", "stop")), rnd.choice(SIGNALS)
    p, ready = start_tapline([TAPLINE, *words.split()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if phase == "start":
            os.close(ready)
            time.sleep(rnd.uniform(0, 0.3))
        else:
            wait_ready(ready)
            time.sleep(rnd.uniform(0, 0.3))
        if phase == "stop":
            p.send_signal(signal.SIGINT)
            time.sleep(rnd.uniform(0, 0.05))
        p.send_signal(with_signal)
        status = p.wait(20)
    finally:
        p.kill()
        p.wait()
    return f"{words}, {phase}, {with_signal.name}: {status}", status, phase, with_signal


@alone
@timeout(1800)
def test_signals_at_random_moments():
    seed = int(os.environ.get("TAPLINE_SEED", "0")) or random.choice(PRIMES)
    print(f"seed {seed}")
    rnd = random.Random(seed)
    with temp_dir() as temp, traffic():
        tools = [t.replace("DIR", temp) for t in TOOLS]
        names = set()
        for words in tools:
            tool, *rest = words.split()
            names |= ours(*rest, tool=tool, json_rows=False)
        before, before_traces, processes = bpf_objects(), traces(), children(os.getpid())
        for i in range(int(os.environ.get("TAPLINE_ENDS", "200"))):
            what, status, phase, with_signal = end_one(rnd, rnd.choice(tools))
            what = f"run {i} of seed {seed}: {what}"
            # Until it is ready a signal has its usual effect; then it ends the run as Ctrl-C does.
            fine = {0, -with_signal} if phase != "run" or with_signal == signal.SIGKILL else {0}
            assert status in fine, what
            wait_gone(before, names, what)
            wait_for(lambda: no_more_than(processes), 5, f"processes to go; {what}")
            equal(traces(), before_traces, what)


# ---- outputs ----


def closed_at_start(words, fds):
    """(exit status, standard error) of a run that begins with these descriptors closed."""
    closing = " ".join(f"{fd}>&-" for fd in fds)
    p = subprocess.run(["sh", "-c", f'exec "$@" {closing}', "sh", TAPLINE, *words], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
    return p.returncode, p.stderr


def test_standard_output_closed_before_the_start():
    """A sentence and exit status 1; what else was closed does not matter."""
    with traffic() as port:
        words = ["requests", "--port", str(port), "-o", "json", "-n", "3", "-d", "8"]
        with nothing_left(ours()):
            for fds in ((1,), (0, 1), (0, 1, 2)):
                status, err = closed_at_start(words, fds)
                equal(status, 1, f"exit status without {fds}: {err}")
                equal("cannot write the output" in err, 2 not in fds, f"the sentence without {fds}: {err}")
            for fds in ((0,), (2,), (0, 2)):
                equal(closed_at_start(words, fds)[0], 0, f"exit status without {fds}")
            for words in (["--version"], ["--help"], ["requests", "--man"]):
                equal(closed_at_start(words, (1,))[0], 1, f"exit status of {words}")


def test_reader_gone_before_the_start():
    """Nobody reads the pipe: a quiet end at the first row."""
    with traffic() as port, nothing_left(ours()):
        read, write = os.pipe()
        os.close(read)
        p = subprocess.Popen([TAPLINE, "requests", "--port", str(port), "-o", "json"], stdin=subprocess.DEVNULL,
                             stdout=write, stderr=subprocess.PIPE, text=True)
        os.close(write)
        err = p.communicate(timeout=20)[1]
    equal(p.returncode, 0, f"exit status: {err}")
    assert "tapline:" not in err, err


@contextlib.contextmanager
def small_disk(size):
    """A folder on a file system of so many KiB, which only this process and what it starts see."""
    libc = ctypes.CDLL(None, use_errno=True)
    with temp_dir() as temp:
        assert not libc.unshare(0x20000), "no mount namespace"  # CLONE_NEWNS
        assert not libc.mount(b"none", b"/", None, 0x44000, None), "mount"  # MS_REC | MS_PRIVATE
        assert not libc.mount(b"tmpfs", temp.encode(), b"tmpfs", 0, f"size={size}k".encode()), "mount of tmpfs"
        try:
            yield temp
        finally:
            libc.umount2(temp.encode(), 2)


def test_a_disk_that_fills_up():
    """One sentence, exit status 1; what is there are rows, and the last of them may be cut."""
    with Nginx() as n, small_disk(64) as disk, open(f"{disk}/rows", "w+b") as out:
        with nothing_left(ours()):
            p, ready = start_tapline([TAPLINE, "requests", "-o", "json", "--port", str(n.port)], stdout=out,
                                     stderr=subprocess.PIPE, text=True)
            wait_ready(ready)
            ab(n.url("/fill"), 2000)
            err = p.communicate(timeout=20)[1]
        rows = open(f"{disk}/rows", "rb").read()
    equal(p.returncode, 1, f"exit status: {err}")
    equal(len([line for line in err.splitlines() if line.startswith("tapline: ")]), 1, f"sentences: {err}")
    assert "No space left" in err, err
    at_least(rows.count(b"\n"), 50, "rows")
    assert all(b'"/fill"' in line for line in rows.split(b"\n")[:-1]), "a row is not whole"
