# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Keys of top on a terminal, under a shell's job control: what they change, and that the terminal is given back
as it was, however the run ends or is stopped."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time

from lib import TAPLINE, Connection, Nginx, equal, run, wait_for

# Runs a command as a job on the terminal argv[1], in its foreground or not (argv[2]); says "stopped" and "ended
# STATUS", and obeys "fg" and "bg".
SHELL = """
import fcntl, os, signal, sys, termios
os.setsid()
tty = os.open(sys.argv[1], os.O_RDWR)
fcntl.ioctl(tty, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
def go(pid, front):
    os.tcsetpgrp(tty, pid if front else os.getpgrp())
    os.killpg(pid, signal.SIGCONT)
starts, started = os.pipe()
pid = os.fork()
if not pid:
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.close(started)
    os.read(starts, 1)
    for fd in range(3):
        os.dup2(tty, fd)
    os.execv(sys.argv[3], sys.argv[3:])
os.setpgid(pid, pid)
go(pid, sys.argv[2] == "fg")
print(pid, flush=True)
os.close(started)
while True:
    status = os.waitpid(pid, os.WUNTRACED)[1]
    os.tcsetpgrp(tty, os.getpgrp())
    if not os.WIFSTOPPED(status):
        break
    print("stopped", flush=True)
    go(pid, sys.stdin.readline() == "fg\\n")
print("ended", os.waitstatus_to_exitcode(status), flush=True)
sys.stdin.readline()
"""

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
CLEAR = "\x1b[H\x1b[2J"


class Job:
    """tapline top on a terminal of its own, as the job of a shell."""

    def __init__(self, *args, size=(24, 80), ground="fg"):
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        self.text = ""
        command = [sys.executable, "-c", SHELL, os.ttyname(self.slave), ground, TAPLINE, "top", *map(str, args)]
        self.shell = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = int(self.shell.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.shell.kill()
        self.shell.communicate()
        os.close(self.master)
        os.close(self.slave)

    def screen(self):
        """The lines of the last block."""
        while select.select([self.master], [], [], 0)[0]:
            self.text += os.read(self.master, 65536).decode()
        return ESCAPES.sub("", self.text.rpartition(CLEAR)[2]).replace("\r", "").splitlines()

    def title(self):
        return (self.screen() or [""])[0]

    def expect(self, title, seconds=10):
        wait_for(lambda: self.title().startswith(title), seconds, f"'{title}' above the rows")

    def type(self, text):
        os.write(self.master, text.encode())

    def rows(self, *names):
        """The rows of the last block, of which these columns are named so by --fields."""
        lines = [line.split() for line in self.screen()[2:]]
        return [dict(zip(names, line)) for line in lines if len(line) == len(names)]

    def is_as_before(self):
        return termios.tcgetattr(self.slave) == self.before

    def said(self, want):
        equal(self.shell.stdout.readline().strip(), want, "what the shell says")


@contextlib.contextmanager
def calls(nginx, every=0.02):
    """Two connections on which calls are made all the time."""
    end = threading.Event()

    def ask():
        with Connection(nginx.port) as one, Connection(nginx.port) as other:
            while not end.wait(every):
                for c in (one, one, other):
                    c.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    c.response()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join(10)


def test_keys_change_rows_and_order():
    with Nginx() as nginx, calls(nginx), Job("--port", nginx.port, 5, size=(24, 100)) as job:
        job.expect("by connection, sorted by rate")
        assert "q quit" in job.title(), job.title()
        equal(len(job.screen()), 6, "title, header and four ends")
        began = time.monotonic()
        for key, by in (("b", "process"), ("b", "container"), ("B", "process"), ("BB", "host"), ("bb", "process")):
            job.type(key)
            job.expect(f"by {by}")
        assert time.monotonic() - began < 4, "keys were answered only by the next block"
        header, *rows = job.screen()[1:]
        equal((header.split()[:2], len(rows)), (["PID", "COMM"], 2), "rows of processes")
        at = header.split().index("CALLS/S")
        assert all(float(r.split()[at]) > 10 for r in rows), job.screen()

        def pids():
            return [int(line.split()[0]) for line in job.screen()[2:]]

        job.type("s")
        job.expect("by process, sorted by pid ")
        equal(pids(), sorted(pids(), reverse=True), "order")
        job.type("r")
        job.expect("by process, sorted by pid, reversed")
        equal(pids(), sorted(pids()), "order reversed")
        job.type("\x1b")  # an arrow, in pieces
        time.sleep(0.1)
        job.type("[")
        time.sleep(0.1)
        job.type("C")
        job.expect("by process, sorted by comm, reversed")
        job.type("\x1b[[B\x1b[1;5C\x1b[3~\x1bb\x00\xff\x1b[Dr")
        job.expect("by process, sorted by pid ")
        job.type("h")
        job.expect("b B: ")
        job.type("q")
        job.said("ended 0")
        assert "quit" not in job.title(), job.title()


def test_another_grouping_loses_nothing():
    """Sums of what is open go on, whatever a row is; what is counted then is counted once."""
    fields = "comm", "calls", "sent", "connections"
    with Nginx() as nginx, Connection(nginx.port) as c, \
            Job("--port", nginx.port, "--by", "process", "--fields", ",".join(fields), 1) as job:

        def ask(n):
            for _ in range(n):
                c.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                c.response()

        def shown(n):
            sent = str(sum(e["bytes_sent"] for e in nginx.log(n)))
            return {"comm": "nginx", "calls": str(n), "sent": sent, "connections": "1"} in job.rows(*fields)

        wait_for(lambda: not job.is_as_before(), 10, "the start")
        ask(2)
        wait_for(lambda: shown(2), 5, "2 calls")
        ask(1)
        job.type("BBBBBB")
        job.type("bb")
        job.expect("by peer")
        ask(1)
        job.type("B")
        job.type("B")
        wait_for(lambda: shown(4), 5, "4 calls")
        time.sleep(1.2)
        ask(1)
        wait_for(lambda: shown(5), 5, "5 calls")


def test_a_pause_keeps_what_is_shown():
    with Nginx() as nginx, calls(nginx), Job("--port", nginx.port, "--by", "host", "--fields", "calls") as job:
        job.expect("by host")
        job.type(" ")
        job.expect("by host, sorted by rate, paused")
        before = job.rows("calls")
        time.sleep(2.2)
        equal(job.rows("calls"), before, "a paused block")
        job.type(" ")
        wait_for(lambda: job.rows("calls") != before, 5, "the next block")


def test_the_terminal_is_given_back():
    """By q, by Ctrl-C, by signals, and at the end of so many blocks."""
    ways = {"q": lambda j: j.type("q"), "Ctrl-C": lambda j: j.type("\x03"), "Ctrl-\\": lambda j: j.type("\x1c"),
            "SIGTERM": lambda j: os.kill(j.pid, signal.SIGTERM), "SIGHUP": lambda j: os.kill(j.pid, signal.SIGHUP),
            "the last block": None}
    for name, way in ways.items():
        with Job(1, *([2] if not way else [])) as job:
            wait_for(lambda: not job.is_as_before(), 10, "the terminal to be taken")
            if way:
                way(job)
            job.said("ended 0")
            assert job.is_as_before(), f"{name}: {termios.tcgetattr(job.slave)} is not {job.before}"


def test_stopped_and_continued():
    """Given back while it is stopped or in the background, taken again in the foreground."""
    with Job() as job:
        for go, taken in (("fg", True), ("bg", False)):
            wait_for(lambda: not job.is_as_before(), 10, "the terminal to be taken")
            job.type("\x1a")
            job.said("stopped")
            assert job.is_as_before(), "it was stopped with the terminal taken"
            job.shell.stdin.write(f"{go}\n")
            job.shell.stdin.flush()
            time.sleep(1.5)
            equal(job.is_as_before(), not taken, f"as before after {go}")
        os.kill(job.pid, signal.SIGTERM)
        job.said("ended 0")
        assert job.is_as_before(), "the background touched the terminal"


def test_the_background_leaves_the_terminal_alone():
    with Job(1, 3, ground="bg") as job:
        job.type("q")
        for _ in range(10):
            assert job.is_as_before(), "the background touched the terminal"
            time.sleep(0.1)
        job.said("ended 0")
        assert "quit" not in job.text + "".join(job.screen()), job.text


def test_no_keys_without_a_terminal():
    """A pipe has plain blocks; where only one of input and output is a terminal, it is not touched."""
    text = run(TAPLINE, "top", 1, 2, "--all").stdout
    assert "quit" not in text and "\x1b" not in text, text
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    for ends in ({"stdin": slave, "stdout": subprocess.PIPE}, {"stdin": subprocess.DEVNULL, "stdout": slave}):
        p = subprocess.Popen([TAPLINE, "top", "1", "2", "--all"], stderr=subprocess.DEVNULL, **ends)
        for _ in range(8):
            time.sleep(0.2)
            equal(termios.tcgetattr(slave), before, "the terminal")
        if p.stdout:
            assert b"quit" not in p.stdout.read(), "keys in a pipe"
        equal(p.wait(10), 0, "exit status")
    while select.select([master], [], [], 0)[0]:
        assert b"quit" not in os.read(master, 65536), "keys without an input"
    os.close(master)
    os.close(slave)
