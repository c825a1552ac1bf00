# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""No memory: one allocation of the user side fails, or from one on all do. Never a crash or a run that hangs; what fails
ends with a sentence and exit status 1, what goes on ends with 0 and has right rows; nothing stays attached.

TAPLINE_ALLOCS=all: every allocation of a run instead of the first five and the last of each call of tapline's own, and
the first and the last of a library's (hours instead of minutes)."""

import os
import signal
import subprocess

from left import nothing_left, ours
from lib import BUILD, PROGRAMS, TAPLINE, Skip, alone, at_least, equal, run, temp_dir, timeout
from steady import traffic

# Libraries that do not check what they get: libseccomp 2.5.4 reads it, frees it twice or looks for its end, and the
# scanner in libpcap 1.10 ends the program with status 2, or reads it. Nothing may stay then either.
UNCHECKED = ("libseccomp", "libpcap")
DIES = (2, -signal.SIGSEGV, -signal.SIGABRT)

OWN = 5

PRELOAD = os.path.join(PROGRAMS, "fail_alloc.so")


def preloaded(words, **more):
    """(exit status, standard output, standard error) with the library in front; a run that hangs fails the test."""
    if BUILD.endswith("sanitize"):
        raise Skip("a sanitizer brings its own malloc")
    env = {**os.environ, "LD_PRELOAD": PRELOAD, **{k: str(v) for k, v in more.items() if k.isupper()}}
    fds = more.get("pass_fds", ())
    p = subprocess.Popen([TAPLINE, *words], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True, errors="replace", pass_fds=fds)
    try:
        out, err = p.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        p.kill()
        out, err = p.communicate()
        raise AssertionError(f"{words} with {more} hangs: {err}") from None
    return p.returncode, out, err


def allocations(words, **where):
    """The caller of each allocation of a run, in order."""
    with temp_dir() as temp, open(f"{temp}/callers", "w+b") as f:
        status, _, err = preloaded(words, SHOW_ALLOC=f.fileno(), pass_fds=[f.fileno()], **where)
        equal(status, 0, f"exit status: {err}")
        f.seek(0)
        return f.read().decode().splitlines()


def chosen(callers):
    """Which of them fail: see above."""
    if os.environ.get("TAPLINE_ALLOCS") == "all":
        return list(range(1, len(callers) + 1))
    times = {}
    for n, caller in enumerate(callers, 1):
        times.setdefault(caller, []).append(n)
    return sorted({n for caller, all_of in times.items()
                   for n in all_of[:OWN if caller.startswith("tapline+") else 1] + all_of[-1:]})


def each_fails(words, right, **where):
    """right(output) says whether the rows of a run that went well are right."""
    callers = allocations(words, **where)
    at_least(len(callers), 5, "allocations of a run")
    ended, faults = {0: 0, 1: 0}, []
    for n in chosen(callers):
        # Of tapline's own, also with all that follow: what it does then.
        for more in ({}, {"FAIL_AFTER": 1}) if callers[n - 1].startswith("tapline+") else ({},):
            status, out, err = preloaded(words, FAIL_ALLOC=n, **more, **where)
            said = [line for line in err.splitlines() if line.startswith("tapline: ")]
            what = f"{n} ({callers[n - 1]}) {more or ''}: status {status}, said {err[:300]!r}"
            # Numbers move a little from run to run, by what else the machine does.
            without = callers[max(n - 300, 0):] if more else callers[n - 1:n]
            if status in DIES and any(c.startswith(UNCHECKED) for c in without):
                continue
            if status not in ended:
                faults.append(what)
                continue
            ended[status] += 1
            if status == 1 and len(said) != 1:
                faults.append("no sentence, or several: " + what)
            if status == 0 and not more and not right(out):
                faults.append(f"wrong rows {out[:200]!r}: " + what)
    print(f"{words}: {ended[0]} runs went on, {ended[1]} ended with a sentence")
    assert not faults, f"{len(faults)} faults:\n" + "\n".join(faults[:40])


def live(tool, *words):
    """A run on traffic."""
    with traffic() as port, nothing_left(ours(tool=tool, json_rows=False)):
        each_fails([tool, *[w.replace("PORT", str(port)) for w in words]],
                   lambda out: out.count("\n") >= 1)


@alone
@timeout(3600)
def test_requests():
    live("requests", "--port", "PORT", "-o", "json", "-n", "5", "-d", "8")


@alone
@timeout(3600)
def test_requests_on_an_interface():
    live("requests", "-i", "lo", "-o", "json", "-n", "5", "-d", "8", "tcp port PORT")


@alone
@timeout(3600)
def test_sums():
    live("requests", "--port", "PORT", "--by", "path,status", "-d", "1")


@alone
@timeout(3600)
def test_frames_of_calls():
    with temp_dir() as temp:
        with traffic() as port, nothing_left(ours()):
            words = ["requests", "--port", str(port), "-w", f"{temp}/out", "-d", "1", "-C", "1"]
            each_fails(words, lambda out: os.path.getsize(f"{temp}/out") > 1000)
            each_fails(words, lambda out: True, FAIL_CHILD=1)  # of the process that opens the next files


@alone
@timeout(3600)
def test_conns():
    live("conns", "--port", "PORT", "-o", "json", "-n", "5", "-d", "8")


@alone
@timeout(3600)
def test_conns_by_perf():
    live("conns", "--port", "PORT", "-o", "json", "-n", "5", "-d", "8", "--transport", "perf")


@alone
@timeout(3600)
def test_top():
    live("top", "--port", "PORT", "-o", "json", "1", "1")


@alone
@timeout(3600)
def test_latency():
    live("latency", "--by", "process", "--port", "PORT", "-o", "json", "1", "1")


@alone
@timeout(3600)
def test_count():
    live("count", "-i", "lo", "--by", "process", "-o", "json", "1", "1", "tcp port PORT")


@alone
@timeout(3600)
def test_packets():
    live("packets", "-i", "lo", "-o", "json", "-n", "5", "-d", "8", "tcp port PORT")


@alone
@timeout(3600)
def test_files():
    """The rooms that need no kernel side: reading, following, joining, grouping, writing."""
    with temp_dir() as temp:
        path = f"{temp}/in.pcapng"
        with traffic() as port:
            run(TAPLINE, "packets", "-i", "lo", "-w", path, "-n", "200", "tcp", "port", str(port))
        for words in (["requests", "-r", path, "-o", "json"], ["requests", "-r", path, "--by", "path"],
                      ["requests", "-r", path, "-w", f"{temp}/out"], ["requests", "-r", path, "-H", "tcp"],
                      ["packets", "-r", path, "-X"], ["count", "-r", path, "--by", "host"]):
            each_fails(words, lambda out: True)
