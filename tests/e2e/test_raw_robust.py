# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What must not break: kills leave nothing behind, readers stall or go away, disks are full,
privileges are gone, cgroups come and go, connections idle.

TAPLINE_KILLS: how many starts and kills test_kills_leave_nothing makes (30)."""

import collections
import contextlib
import os
import random
import shutil
import signal
import subprocess
import time

from lib import (TAPLINE, Nginx, Proc, Skip, Tapline, ab, alone, at_least, at_most, curl, equal,
                 program, run, select_rows, started, temp_dir, timeout, wait_for)
from left import bpf_objects, cgroup_root, ours, traces, wait_gone
from raw import Peer, Puppet, check, fetcher, request_bytes, response_bytes, server, shows

# ---- kills ----


@alone
@timeout(900)
def test_kills_leave_nothing():
    """SIGKILL while loading, attaching, running: no program, link, map, pin or mount stays."""
    names, rnd = ours(), random.Random(2)
    before, before_traces = bpf_objects(), traces()
    for i in range(int(os.environ.get("TAPLINE_KILLS", "30"))):
        p = subprocess.Popen([TAPLINE, "requests", "-o", "json"], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rnd.uniform(0, 0.15))
        equal(p.poll(), None, f"run {i} ended by itself")
        p.kill()
        p.wait()
    wait_gone(before, names, "BPF objects")
    equal(traces(), before_traces, "traces")


def test_end_leaves_nothing():
    """The same for Ctrl-C and SIGTERM."""
    names = ours()
    before = bpf_objects()
    for with_signal in (signal.SIGINT, signal.SIGTERM):
        with Tapline() as tap:
            tap.stop(with_signal)
    wait_gone(before, names, "BPF objects")


def test_two_at_once():
    """Both see everything, and one's end does not disturb the other."""
    with Nginx() as n, Tapline("--port", n.port) as first:
        with Tapline("--port", n.port) as second:
            ab(n.url("/both"), 3000)
            first.expect_rows(3000)
            second.expect_rows(3000)
            second.stop()
        ab(n.url("/one"), 500)
        first.expect_rows(3500)
        first.stop()
        equal(len(n.log(3500)), 3500, "nginx's log")
    equal((len(first.rows), len(second.rows)), (3500, 3000), "rows")
    facts = [collections.Counter(str((r["client_port"], r["path"], r["request_bytes"],
                                      r["response_bytes"], r["status"])) for r in rows)
             for rows in (select_rows(first.rows, path="/both"), second.rows)]
    equal(facts[0], facts[1], "rows of the two")


# ---- readers ----


@alone
def test_stopped_reader():
    """tapline itself is stopped until its ring is full: what is lost is counted, every call."""
    n_calls = 60000
    with Nginx(buffered=True) as n, Tapline("--port", n.port, to_file=True) as tap:
        ab(n.url("/before"), 100)
        time.sleep(0.5)
        os.kill(tap.pid, signal.SIGSTOP)
        ab(n.url("/flood"), n_calls)
        os.kill(tap.pid, signal.SIGCONT)
        ab(n.url("/after"), 100)
        rows = tap.stop()
        n.stop()
        equal(len(n.log()), n_calls + 200, "nginx's log")
    equal(len(select_rows(rows, path="/before")), 100, "rows before")
    equal(len(select_rows(rows, path="/after")), 100, "rows after")
    lost = tap.ledger("lost_ring")
    at_least(lost, 1, "lost records, by the ledger")
    equal(tap.ledger("rows"), len(rows), "rows, by the ledger")
    at_most(len(rows), n_calls + 200, "rows")
    at_least(len(rows) + lost, n_calls + 200, "rows and lost records: every call is accounted for")


def tapline_into(stdout, port):
    return subprocess.Popen([TAPLINE, "requests", "-o", "json", "--port", str(port)],
                            stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE)


def test_slow_output():
    """A reader that does not read: the run goes on, and what it missed is counted, every row."""
    n_calls = 80000
    with Nginx(buffered=True) as n:
        p = tapline_into(subprocess.PIPE, n.port)
        try:
            wait_for(lambda: capabilities(p.pid) == 0, 20, "tapline to run")
            ab(n.url("/slow"), n_calls)
            time.sleep(0.5)
            p.send_signal(signal.SIGINT)
            out, err = p.communicate(timeout=20)
        finally:
            p.kill()
            p.wait()
    equal(p.returncode, 0, "exit status")
    tap = Tapline()
    started.remove(tap)
    tap.err = bytearray(err)
    lost = tap.ledger("lost_output")
    at_least(lost, 1, "lost_output, by the ledger")
    equal(tap.ledger("lost_ring"), 0, "lost_ring, by the ledger")
    equal(out.count(b"\n") + lost, n_calls, "rows and lost rows")


def test_pipe_ends():
    """| head -1: exit status 0, and not a word of the pipe."""
    with Nginx() as n, temp_dir() as temp:
        command = f"{TAPLINE} requests --port {n.port} 2>{temp}/err | head -1"
        command += "; exit ${PIPESTATUS[0]}"
        with Proc("bash", "-c", command, stdout=subprocess.PIPE, start_new_session=True) as p:
            def asked_until_end():
                curl(n.url("/pipe"))
                return p.p.poll() is not None

            wait_for(asked_until_end, 20, "tapline to end")
            equal(p.p.returncode, 0, "exit status")
            equal(p.p.stdout.read().count(b"\n"), 1, "lines")
        with open(f"{temp}/err", encoding="utf-8") as f:
            err = f.read().lower()
        for word in ("pipe", "error", "fail"):
            assert word not in err, err


def test_full_disk():
    """One clear sentence, exit status 1."""
    with Nginx() as n, open("/dev/full", "wb") as full:
        p = tapline_into(full, n.port)
        try:
            def asked_until_end():
                curl(n.url("/full"))
                return p.poll() is not None

            wait_for(asked_until_end, 20, "tapline to end")
            err = p.stderr.read().decode()
        finally:
            p.kill()
            p.wait()
    equal(p.returncode, 1, "exit status")
    sentences = [line for line in err.splitlines() if "space" in line.lower()]
    equal(len(sentences), 1, f"sentences in {err}")


# ---- privilege ----


def status_of(pid, name, task="self"):
    with open(f"/proc/{pid}/task/{pid if task == 'self' else task}/status", encoding="utf-8") as f:
        return next(line.split()[1] for line in f if line.startswith(name + ":"))


def capabilities(pid):
    return int(status_of(pid, "CapEff"), 16)


def test_no_privilege_left():
    """From 5.19 on no capability is left, in any thread, and a seccomp filter is on."""
    release = tuple(int(x) for x in os.uname().release.split("-")[0].split(".")[:2])
    with Tapline("--port", 1) as tap:
        for task in os.listdir(f"/proc/{tap.pid}/task"):
            for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
                left = int(status_of(tap.pid, kind, task), 16)
                equal(left & ~(0 if release >= (5, 19) else 1 << 39), 0, f"{kind} of {task}")
            equal(status_of(tap.pid, "Seccomp", task), "2", "seccomp mode: a filter")
            equal(status_of(tap.pid, "NoNewPrivs", task), "1", "no_new_privs")


def inject(pid, call, path):
    """The result of a system call that this process is made to do; None: it was killed for it."""
    done = run(program("inject"), pid, call, path, check=False)
    if done.returncode == 77:
        raise Skip("inject knows the registers of x86_64 only")
    equal(done.returncode, 0, f"inject {call}: {done.stderr}")
    return None if done.stdout.strip() == "killed" else int(done.stdout)


def test_system_calls_refused():
    """The running process is made to try: no file opened for writing, no openat2, no execute. The
    same calls succeed in a process without the filter, so it is the filter that refuses."""
    with temp_dir() as temp:
        old, new = f"{temp}/old", f"{temp}/new"
        with open(old, "w", encoding="ascii") as f:
            f.write("old")
        calls = (("create", new), ("write", old), ("openat2", old), ("execve", "/bin/true"))
        with Proc("sleep", 60) as plain:
            time.sleep(0.2)
            for call, path in calls:
                at_least(inject(plain.pid, call, path), 0, f"{call} without a filter")
        os.unlink(new)
        for call, path in calls:
            tap = Tapline("--port", 1)
            started.remove(tap)
            with tap:
                result = inject(tap.pid, call, path)
                tap.kill()
            assert result is None or result < 0, f"{call}: {result}"
        assert not os.path.exists(new), "a file was created"


# ---- cgroups ----


@contextlib.contextmanager
def cgroup(label):
    path = f"{cgroup_root()}/tapline-test-{os.getpid()}-{label}"
    try:
        os.mkdir(path)
    except OSError as e:
        raise Skip(f"no cgroup can be made: {e}") from None
    try:
        yield path
    finally:
        with contextlib.suppress(FileNotFoundError):
            wait_for(lambda: not open(f"{path}/cgroup.procs", encoding="ascii").read(), 5, "cgroup")
            os.rmdir(path)


def test_no_cgroup_mount():
    """tapline mounts it for itself, where nobody else sees it."""
    before = ("unshare", "-m", "sh", "-c", f'umount -l {cgroup_root()} && exec "$@"', "sh")
    mounts = traces()["mounts"]
    with Peer(server) as s:
        port = s.hear()
        with Peer(fetcher, port) as c, Tapline("--port", port, before=before) as tap:
            facts = c.ask([["/mounted/0", "/mounted/1"]])
            tap.expect_rows(2)
            equal(traces()["mounts"], mounts, "mounts of everybody else")
            check(tap.stop(), facts, client_pid=c.pid, server_pid=s.pid)


def test_container_selects():
    """--container with a cgroup's name: only what runs in it, nothing else."""
    with cgroup("in") as inside, cgroup("out") as outside:
        with Peer(server, cgroup=inside) as s, Peer(server, cgroup=outside) as other:
            port, other_port = s.hear(), other.hear()
            with Peer(fetcher, port) as c, Peer(fetcher, other_port) as c2:
                with Tapline("--container", os.path.basename(inside)) as tap:
                    c2.ask([["/out/0", "/out/1"]])
                    facts = c.ask([["/in/0", "/in/1"], ["/in/2"]])
                    tap.expect_rows(3)
                    rows = tap.stop()
    equal(sorted(r["path"] for r in rows), ["/in/0", "/in/1", "/in/2"], "paths")
    for row in rows:
        shows(row, server_pid=s.pid, status=200, quality=[])
    equal(sum(r["response_bytes"] for r in rows), sum(f["response_bytes"] for f in facts), "bytes")


def removed_cgroup(by_container):
    """A server whose cgroup goes while tapline runs, a call of it still unanswered."""
    with cgroup("gone") as path:
        with Puppet(cgroup=path) as s, Puppet() as c:
            port = s.listen()
            options = ["--container", os.path.basename(path)] if by_container else []
            with Tapline("--port", port, *options) as tap:
                c.connect(port)
                s.accept()
                for name in ("/one", "/two"):
                    c.send(request_bytes(name))
                    s.recv(len(request_bytes(name)))
                    if name == "/one":
                        s.send(response_bytes())
                        c.recv(len(response_bytes()))
                pid = s.pid
                s.kill()
                wait_for(lambda: remove(path), 5, "the cgroup to go")
                equal(c.recv(1), b"", "end of file")
                c.close()
                tap.expect_rows(2)
                rows = tap.stop()
    equal([(r["path"], r["status"], r["server_pid"], r["quality"]) for r in rows],
          [("/one", 200, pid, []), ("/two", None, pid, ["unanswered"])], "rows")
    return rows


def remove(path):
    with contextlib.suppress(OSError):
        os.rmdir(path)
    return not os.path.exists(path)


def test_removed_cgroup():
    removed_cgroup(False)


def test_removed_container():
    removed_cgroup(True)


def test_unknown_container():
    """A name that nothing has: one sentence, exit status 1 or 2, and no run that shows nothing."""
    done = run(TAPLINE, "requests", "--container", "no-such-container", "-d", 2, check=False)
    assert done.returncode in (1, 2), done.returncode
    assert "no-such-container" in done.stderr, done.stderr


# ---- idle connections ----

IDLE = 2000


@contextlib.contextmanager
def idle_program():
    """idle_conns under a name that only this test has: (its path, its comm)."""
    with temp_dir() as temp:
        path = shutil.copy(program("idle_conns"), f"{temp}/idle{os.getpid()}")
        yield path, os.path.basename(path)


@contextlib.contextmanager
def idle(path, *args):
    with Proc(path, IDLE, *args, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
        equal(p.p.stdout.readline(), b"ready %d\n" % IDLE, "idle_conns")
        yield
        p.p.stdin.close()
        equal(p.p.wait(30), 0, "idle_conns")


def test_idle_connections():
    """Without traffic: no row, while they are open or when they close."""
    with idle_program() as (path, comm), Tapline("--comm", comm) as tap:
        with idle(path):
            time.sleep(2)
        time.sleep(0.5)
        run(path, 1, "request")
        tap.expect_rows(1, path="/idle")
        equal(len(tap.stop()), 1, "rows")


def test_idle_after_one_request():
    """One row each, whole, though nothing ended the exchange; nothing in flight, nothing twice."""
    with idle_program() as (path, comm), Tapline("--comm", comm) as tap:
        with idle(path, "request"):
            tap.expect_rows(IDLE, seconds=20)
            done = run(TAPLINE, "requests", "--in-flight", "-o", "json", "-d", 2, "--comm", comm)
            equal(done.stdout, "", "in flight")
        time.sleep(0.5)
        rows = tap.stop()
    equal(len(rows), IDLE, "rows")
    equal({(r["path"], r["status"], str(r["quality"]), r["response_bytes"]) for r in rows},
          {("/idle", 204, "[]", 27)}, "rows")
    equal(len({r["client_port"] for r in rows}), IDLE, "connections")
