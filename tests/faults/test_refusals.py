# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A kernel that refuses a program, whichever: where its ladder has another rung or does without, rows are the same; where
not, there is one sentence and exit status 1. Whatever is refused, nothing stays."""

import json
import re
import signal
import subprocess
import time

from left import nothing_left, ours
from lib import TAPLINE, Nginx, Skip, alone, at_least, curl, equal, program, run, start_tapline, timeout, wait_ready

# What of the rows of one call is the same in every run; of those with an interval only that there are some.
RUNS = {
    ("requests",): ("path", "status", "client_comm", "server_comm", "request_bytes", "response_bytes", "quality"),
    ("requests", "-i", "lo"): ("path", "status", "client_comm", "server_comm", "request_bytes", "response_bytes"),
    ("conns", "--event", "connect,accept,close"): ("event", "comm", "role", "bytes_sent", "bytes_received"),
    ("packets", "-i", "lo"): ("comm", "flags", "protocol", "payload_length"),
    ("hello", "--comm", "nginx"): ("comm",),
    ("top", "1"): (),
    ("latency", "1", "--by", "process"): (),
    ("count", "-i", "lo", "--by", "process", "1"): (),
}


def refusing(names):
    before = [program("refuse"), names]
    probe = run(*before, "true", check=False)
    if probe.returncode:
        raise Skip(probe.stderr.strip())
    return before


def call(nginx, words, before=()):
    """(exit status, rows, standard error) of a run, with one call in it if it starts."""
    port = () if words[0] == "hello" else ("--port", str(nginx.port))
    p, ready = start_tapline([*before, TAPLINE, *words, *port, "-o", "json", "-v"], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    try:
        wait_ready(ready)
        curl(nginx.url("/same"))
        time.sleep(1.2)
        p.send_signal(signal.SIGINT)
    except AssertionError as why:
        assert "ended before" in str(why), why
    out, err = p.communicate(timeout=20)
    return p.returncode, [json.loads(line) for line in out.splitlines()], err


def alike(rows, columns):
    return sorted(json.dumps([r[c] for c in columns]) for r in rows)


def refuse_each(words):
    """The programs whose refusal ends the run."""
    columns, needed = RUNS[words], []
    refusing("nothing")
    with Nginx() as nginx, nothing_left(ours(*words[1:], tool=words[0], json_rows=False)):
        status, want, err = call(nginx, words)
        equal(status, 0, f"exit status: {err}")
        at_least(len(want), 1, f"rows of {words}")
        programs = set(re.findall(r"attached (\w+) to", err)) | set(re.findall(r"loaded (\w+):", err))
        at_least(len(programs), 2, "programs")
        for name in sorted(programs):
            status, rows, err = call(nginx, words, refusing(name))
            said = [line for line in err.splitlines() if line.startswith("tapline: ")]
            if status == 0:
                assert any(f"the kernel refused {name}: going on" in line for line in said), f"{name} was not refused"
                equal(alike(rows, columns), alike(want, columns), f"rows without {name}")
                at_least(len(rows), 1, f"rows without {name}")
            else:
                equal(status, 1, f"exit status without {name}: {err[-600:]}")
                assert "this kernel " in said[-1] or "the kernel refused the BPF programs" in said[-1], said[-1]
                needed.append(name)
    print(f"{words}: {len(programs)} programs, these cannot be done without: {' '.join(needed)}")
    return needed


@alone
def test_requests():
    refuse_each(("requests",))


@alone
def test_requests_on_an_interface():
    refuse_each(("requests", "-i", "lo"))


@alone
def test_conns():
    assert "accept_uring" not in refuse_each(("conns", "--event", "connect,accept,close")), "accept_uring is a choice"


@alone
def test_packets():
    needed = refuse_each(("packets", "-i", "lo"))
    assert not {"owner_send", "owner_receive"} & set(needed), needed


@alone
def test_hello():
    refuse_each(("hello", "--comm", "nginx"))


@alone
@timeout(300)
def test_tools_with_intervals():
    for words in RUNS:
        if not RUNS[words]:
            refuse_each(words)


@alone
@timeout(300)
def test_each_rung():
    """Where there are several rungs for who sends, the next is taken, with the same rows."""
    done = run(TAPLINE, "requests", "-d", 1, "-v", "--hooks", "fexit", check=False)
    if done.returncode or "to fexit/tcp_sendmsg" not in done.stderr:
        raise Skip("this kernel has no second rung: it refuses fexit")
    if "to tp_btf/sock_send_length" not in run(TAPLINE, "requests", "-d", 1, "-v").stderr:
        raise Skip("this kernel has no sock_send_length (6.3 on)")
    for words in (("requests",), ("conns", "--event", "connect,accept,close")):
        with Nginx() as nginx:
            want = call(nginx, words)[1]
            status, rows, err = call(nginx, words, refusing("owner_send_tp"))
            equal(status, 0, err)
            assert "to fexit/tcp_sendmsg" in err, err
            equal(alike(rows, RUNS[words]), alike(want, RUNS[words]), "rows")
            status, rows, err = call(nginx, words, refusing("owner_send_tp,owner_send_fexit"))
            equal(status, 1, err)
