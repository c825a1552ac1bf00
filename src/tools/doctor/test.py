# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""doctor: what this kernel and these privileges allow, a line each, for root and for anybody.
What it says is held against /proc and against what a run of requests attaches."""

import re

from lib import TAPLINE, Nginx, Skip, Tapline, equal, run


def test_says_what_there_is():
    done = run(TAPLINE, "doctor")
    text = done.stdout
    with open("/proc/sys/kernel/osrelease") as f:
        assert f.read().strip() in text, f"the kernel's version in {text}"
    for word in ("BTF", "JIT", "cgroup"):
        assert re.search(word, text, re.I), f"no {word} in {text}"
    for line in text.splitlines():
        assert len(line) <= 160, f"one line each: {line!r}"
    assert "libbpf" not in done.stderr, done.stderr


def test_names_the_rungs_that_a_run_takes():
    text = run(TAPLINE, "doctor").stdout
    with Nginx() as nginx, Tapline("-v", "--port", nginx.port) as t:
        t.stop()
    hooks = set(re.findall(r"\b(?:tp_btf|fentry|kprobe|raw_tp|tracepoint)/(\w+)", t.ledger_text))
    assert hooks, f"-v names hooks: {t.ledger_text}"
    ladder = hooks & {"sock_send_length", "tcp_sendmsg", "tcp_rcv_space_adjust"}
    for hook in ladder:
        assert hook in text, f"doctor does not name {hook}, which a run attaches: {text}"


def test_works_for_anybody_and_says_what_is_missing():
    done = run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", TAPLINE, "doctor", check=False)
    if "setpriv" in done.stderr:
        raise Skip("the checkout cannot be read by another user")
    equal(done.stderr, "", "standard error")
    assert re.search(r"root|sudo|CAP_BPF|capabilit", done.stdout), done.stdout
