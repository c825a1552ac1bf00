# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Options that every subcommand takes: how a run ends, what it prints where, what the kernel leaves out.
Run against `requests`, on the session that all subcommands share."""

import csv
import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import lib
from lib import TAPLINE, Nginx, Tapline, at_least, at_most, curl, equal, one, run


def ask(nginx, *paths):
    for path in paths:
        curl(nginx.url(path))


# ---- how a run ends ----


def test_ends_after_n_rows():
    with Nginx() as nginx, Tapline("--port", nginx.port, "-n", 3) as t:
        ask(nginx, "/1", "/2", "/3", "/4", "/5")
        equal(t.wait_end(5), 0, "exit status")
        equal([r["path"] for r in t.rows], ["/1", "/2", "/3"], "rows")
        assert t.ledger_text.strip(), "the ledger is on standard error"


def test_ends_after_d_seconds():
    with Nginx() as nginx:
        with Tapline("--port", nginx.port, "-d", 1) as t:
            began = time.monotonic()
            ask(nginx, "/1")
            equal(t.wait_end(5), 0, "exit status")
            took = time.monotonic() - began
        assert 0.7 <= took <= 2, f"-d 1 took {took:.2f} s"
        equal(len(t.rows), 1, "rows")
        assert t.ledger_text.strip(), "the ledger is on standard error"


def test_ends_at_sigterm_and_sigint():
    for number in (signal.SIGTERM, signal.SIGINT):
        with Nginx() as nginx, Tapline("--port", nginx.port) as t:
            ask(nginx, "/1")
            equal(len(t.stop(number)), 1, "rows")
            at_least(t.ledger("records"), 1, "records in the ledger")


def test_rows_of_what_was_still_open_come_at_the_end():
    """Nothing waits for a sweep: the last drain brings what had ended, and the state of the rest."""
    with Nginx() as nginx, Tapline("--port", nginx.port) as t, lib.Connection(nginx.port) as c:
        c.send("GET /at-the-end HTTP/1.1\r\nHost: h\r\n\r\n")
        c.response()
        one(t.stop(), path="/at-the-end", status=200)


def test_broken_pipe_ends_quietly():
    with Nginx() as nginx, Tapline("--port", nginx.port) as t:
        # The same as `tapline | head -n 1`: this process is the only reader.
        p, ready = lib.start_tapline([lib.TAPLINE, "requests", "--port", str(nginx.port)],
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        lib.wait_ready(ready)
        ask(nginx, "/1")
        assert p.stdout.read(1), "a row"
        p.stdout.close()
        for i in range(100):
            ask(nginx, f"/{i}")
            if p.poll() is not None:
                break
        said = p.communicate(timeout=10)[1].decode()
        equal(p.returncode, 0, "exit status")
        for word in ("error", "EPIPE", "Broken pipe", "signal"):
            assert word not in said, f"not quiet: {said}"
        t.stop()


def test_dead_standard_error_changes_nothing():
    read, write = os.pipe()
    os.close(read)
    p = subprocess.Popen([lib.TAPLINE, "requests", "-d", "1"], stdout=subprocess.DEVNULL, stderr=write)
    os.close(write)
    equal(p.wait(10), 0, "exit status")


# ---- outputs ----


def test_rows_come_at_once_in_a_pipe_and_plain():
    with Nginx() as nginx, Tapline("--port", nginx.port, json_rows=False) as t:
        ask(nginx, "/plain/page")
        lib.wait_for(lambda: "/plain/page" in t.text, 5, "the row in the pipe")
        assert t.text.endswith("\n"), "whole lines"
        t.stop()
        assert "\x1b" not in t.text, "no escape sequences in a pipe"
        lines = t.text.splitlines()
        equal(len(lines), 2, "a header and a row")
        assert "200" in lines[1] and "GET" in lines[1], lines[1]


def test_json_short_form():
    with Nginx() as nginx, Tapline("--port", nginx.port, "--json", json_rows=False) as t:
        ask(nginx, "/short")
        t.stop()
        equal(one(t.rows, path="/short")["status"], 200, "status")


def test_fields_in_json_and_csv():
    with Nginx() as nginx:
        chosen = "status,path,client_container,quality,response_bytes"
        with Tapline("--port", nginx.port, "--fields", chosen) as t, \
                Tapline("--port", nginx.port, "--fields", chosen, "-o", "csv", json_rows=False) as c:
            ask(nginx, '/a,b"c', "/plain")
            rows = t.stop()
            c.stop()
        equal([list(r) for r in rows], [chosen.split(",")] * 2, "keys, in the order asked for")
        table = list(csv.reader(io.StringIO(c.text)))
        equal(table[0], chosen.split(","), "header")
        equal(len(table), 3, "lines")
        sent = [str(e["bytes_sent"]) for e in nginx.log(2)]
        equal([row[:2] + row[4:] for row in table[1:]],
              [["200", '/a,b"c', sent[0]], ["200", "/plain", sent[1]]], "CSV rows")


def on_terminal(nginx, paths, width, env):
    """What tapline writes to a terminal of that width, and the rows counted meanwhile."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    for name in ("NO_COLOR", "COLUMNS"):
        os.environ.pop(name, None)
    p, ready = lib.start_tapline([lib.TAPLINE, "requests", "--port", str(nginx.port)], stdin=slave,
                                 stdout=slave, stderr=subprocess.PIPE,
                                 env={"TERM": "xterm-256color", **env})
    os.close(slave)
    try:
        lib.wait_ready(ready)
        ask(nginx, *paths)
        out = b""
        end = time.monotonic() + 5
        while out.count(b"\n") < len(paths) + 1 and time.monotonic() < end:
            if select.select([master], [], [], 0.1)[0]:
                out += os.read(master, 65536)
        p.send_signal(signal.SIGINT)
        equal(p.wait(10), 0, "exit status")
        while select.select([master], [], [], 0)[0]:
            try:
                out += os.read(master, 65536)
            except OSError:  # EIO: the other side is closed
                break
        return out.decode()
    finally:
        p.kill()
        p.communicate()
        os.close(master)


ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def test_table_fits_the_terminal():
    paths = ["/short", "/" + "long-path-" * 40, "/fails"]
    with Nginx("location / { return 200 'x'; } location /fails { return 503; }") as nginx:
        for width in (80, 132, 200):
            text = on_terminal(nginx, paths, width, {})
            assert "\x1b[" in text, "colours on a terminal"
            lines = ESCAPES.sub("", text).replace("\r", "").splitlines()
            equal(len(lines), 4, f"lines at width {width}: {lines}")
            for line in lines:
                at_most(len(line), width, f"width of {line!r}")
            assert paths[1] not in text and "/long-path-" in text, "the long path is cut"
            assert "…" in lines[2] or "~" in lines[2] or "..." in lines[2], f"a mark of the cut: {lines[2]}"
            assert "503" in lines[3], lines[3]
            # Aligned: the status stands where its title stands.
            starts = {line.index(f" {word} ") for line, word in zip(lines[1:], ("200", "200", "503"))}
            equal(len(starts), 1, f"columns of the status: {lines}")


def test_no_color():
    with Nginx() as nginx:
        text = on_terminal(nginx, ["/fine", "/also"], 100, {"NO_COLOR": "1"})
        assert "\x1b[" not in text and "/fine" in text, text
        text = on_terminal(nginx, ["/fine"], 100, {"NO_COLOR": ""})
        assert "\x1b[" in text, "an empty NO_COLOR is none (no-color.org)"


# ---- filters decided in the kernel ----


def check_filter(match, other, rows_of_match=1):
    """match, other: tapline arguments for which the load does and does not match."""
    with Nginx() as nginx:
        m, o = match(nginx), other(nginx)
        with Tapline(*m) as yes, Tapline(*o) as no:
            for i in range(50):  # others' nginx may match, too
                curl(nginx.url(f"/kept-out-{nginx.port}-{i}"))
            rows = yes.stop()
            equal(no.stop(), [], "rows of load that does not match")
        equal(no.ledger("records"), 0, f"records in the ring with {o}")
        at_least(yes.ledger("records"), 50, f"records in the ring with {m}")
        equal(sum((r["path"] or "").startswith(f"/kept-out-{nginx.port}-") for r in rows), 50 * rows_of_match, f"rows with {m}")


def test_port_filter():
    check_filter(lambda n: ["--port", n.port], lambda n: ["--port", lib.free_port()])


def test_several_ports():
    check_filter(lambda n: ["--port", lib.free_port(), "--port", n.port],
                 lambda n: ["--port", lib.free_port(), "--port", lib.free_port()])


def test_pid_filter():
    check_filter(lambda n: ["-p", n.workers[0]], lambda n: ["-p", n.pid])


def test_comm_filter():
    check_filter(lambda n: ["--comm", "nginx"], lambda n: ["--comm", "nginy"])


def test_comm_filter_of_the_client():
    check_filter(lambda n: ["--comm", "curl", "--port", n.port],
                 lambda n: ["--comm", "cur", "--port", n.port])


def test_net_filter():
    check_filter(lambda n: ["--net", "127.0.0.0/8", "--port", n.port],
                 lambda n: ["--net", "198.51.100.0/24"])


def test_net_filter_of_one_address_and_ipv6():
    with Nginx() as nginx:
        with Tapline("--port", nginx.port, "--net", "::1") as six, \
                Tapline("--port", nginx.port, "--net", "127.0.0.1") as four, \
                Tapline("--port", nginx.port, "--net", "fd00:1::/32") as none:
            curl(nginx.url("/v4"))
            curl(nginx.url("/v6", "[::1]"))
            equal([r["path"] for r in six.stop()], ["/v6"], "IPv6 rows")
            equal([r["path"] for r in four.stop()], ["/v4"], "IPv4 rows")
            equal(none.stop(), [], "rows of another network")
        equal(none.ledger("records"), 0, "records")


def test_filters_together_must_all_match():
    check_filter(lambda n: ["--port", n.port, "--comm", "nginx", "--net", "127.0.0.1"],
                 lambda n: ["--port", n.port, "--comm", "wrk", "--net", "127.0.0.1"])


def cgroup2():
    with open("/proc/mounts") as f:
        for line in f:
            word = line.split()
            if word[2] == "cgroup2":
                return word[1]
    raise lib.Skip("cgroup v2 is not mounted: no cgroup to make a container of")


class Cgroup:
    """A cgroup named as docker names a container's; programs are started in it."""

    def __init__(self, container):
        self.path = f"{cgroup2()}/tapline-test-{os.getpid()}.slice/docker-{container}.scope"

    def __enter__(self):
        os.makedirs(self.path)
        return self

    def command(self, *args):
        return ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', self.path, *args]

    def __exit__(self, *_):
        for path in (self.path, os.path.dirname(self.path)):
            for _ in range(200):
                try:
                    os.rmdir(path)
                    break
                except OSError:  # its last process is still going away
                    time.sleep(0.02)


def test_container_is_named_and_filters():
    mine, other = "ab" * 32, "cd" * 32
    with Nginx() as nginx, Cgroup(mine) as cgroup:
        with Tapline("--port", nginx.port) as t, \
                Tapline("--port", nginx.port, "--container", mine[:12]) as short, \
                Tapline("--container", mine) as long:
            run(*cgroup.command("curl", "-sS", nginx.url("/from-container")))
            curl(nginx.url("/from-outside"))
            rows = t.stop()
            equal([r["path"] for r in short.stop()], ["/from-container"], "rows of --container (short id)")
            equal([r["path"] for r in long.stop()], ["/from-container"], "rows of --container (whole id)")
        equal(one(rows, path="/from-container")["client_container"], mine[:12], "client_container")
        equal(one(rows, path="/from-outside")["client_container"], None, "client_container outside")
        with Cgroup(other) as idle, Tapline("--container", other) as none:
            ask(nginx, "/1")
            run(*cgroup.command("curl", "-sS", nginx.url("/2")))
            equal(none.stop(), [], "rows of an idle container")
        equal(none.ledger("records"), 0, "records")


def test_container_below_the_named_one():
    """A process in a child cgroup of the container is the container's."""
    with Nginx() as nginx, Cgroup("ef" * 32) as cgroup:
        below = f"{cgroup.path}/inner"
        os.mkdir(below)
        try:
            with Tapline("--container", "ef" * 32) as t:
                run("sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', below, "curl", "-sS",
                    nginx.url("/inner"))
                one(t.stop(), path="/inner")
        finally:
            lib.wait_for(lambda: not open(f"{below}/cgroup.procs").read(), 5, "the cgroup to be empty")
            os.rmdir(below)


def test_ssh_is_left_out_unless_asked_for():
    with lib.two_hosts() as (a, b, v4, _), Nginx(ns=b, port=22) as nginx:
        with Tapline() as plain, Tapline("--port", 22) as asked:
            curl(nginx.url("/on-port-22", v4), ns=a)
            equal(lib.select_rows(plain.stop(), path="/on-port-22"), [], "rows without a filter")
            one(asked.stop(), path="/on-port-22")


# ---- wrong usage ----


def refused(args, status, *words, lines_said=1):
    """Exit status, and one clear sentence that holds the words."""
    done = run(lib.TAPLINE, *args, check=False)
    equal(done.returncode, status, f"exit status of {args}: {done.stderr}")
    equal(len(done.stderr.splitlines()), lines_said, f"lines said for {args}: {done.stderr}")
    equal(done.stdout, "", "standard output")
    for word in words:
        assert word in done.stderr, f"{args}: no {word!r} in {done.stderr!r}"
    assert "libbpf" not in done.stderr, done.stderr


def test_wrong_options_are_said_in_a_sentence():
    refused(["requests", "--prot", "80"], 2, "--prot", "--port")
    refused(["requests", "--port", "http"], 2, "--port", "http")
    refused(["requests", "--port", "70000"], 2, "70000", "65535")
    refused(["requests", "--port", "0"], 2, "--port")
    refused(["requests", "--port"], 2, "--port")
    refused(["requests", "-p", "-1"], 2, "-1")
    refused(["requests", "-d", "soon"], 2, "soon")
    refused(["requests", "-n", "0"], 2, "0")
    refused(["requests", "-o", "xml"], 2, "xml", "json")
    refused(["requests", "-Q"], 2, "-Q")
    refused(["requests", "operand"], 2, "name an interface with -i")
    refused(["requests", "--dump-filter"], 2, "name an interface with -i")
    refused(["requests", "-i", "lo", "-p", "1"], 2, "--where")
    refused(["hello", "operand"], 2, "operand")


def test_wrong_network():
    for net, words in (("10.0.0.0/33", ["33"]), ("10.0.0/8", []), ("fe80::/129", ["129"]), ("here", []),
                       ("", []), ("10.0.0.0/", []), ("1.2.3.4/8x", [])):
        refused(["requests", "--net", net], 2, "--net", *words)


def test_unknown_names():
    refused(["requests", "--fields", "path,colour"], 2, "colour")
    refused(["requests", "--fields", "pth"], 2, "pth", "path")
    refused(["requests", "--by", "colour"], 2, "colour")
    refused(["reqests"], 2, "reqests", "requests")
    refused(["--no-such-option"], 2, "--no-such-option")


def test_wrong_expressions_say_where():
    """A sentence, the expression, and a mark below the place."""
    for expression, at in (("statu>=500", 0), ("status>=", 8), ("status>=x", 8), ("path~^/api(", 5),
                           ("status 500", 6), ("total_us>1e", 9)):
        refused(["requests", "--where", expression], 2, expression, lines_said=3)
        said = run(lib.TAPLINE, "requests", "--where", expression, check=False).stderr.splitlines()
        line = said[1].index(expression)
        got = said[2].index("^") - line
        assert at <= got <= len(expression), f"the mark is at {got}, the fault at {at}: {said}"


def test_unknown_container():
    # Known only when it is looked for: a failed run, or a usage error.
    done = run(lib.TAPLINE, "requests", "--container", "no-such-container", check=False)
    assert done.returncode in (1, 2), done.returncode
    assert "no-such-container" in done.stderr, done.stderr


def test_not_root():
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", lib.TAPLINE, "requests", "-d",
               "1"]
    done = run(*command, check=False)
    if "ermission denied" in done.stderr and "setpriv" in done.stderr:
        raise lib.Skip("the checkout cannot be read by another user")
    equal(done.returncode, 1, "exit status")
    at_most(len(done.stderr.strip().splitlines()), 2, f"lines: {done.stderr}")
    assert "root" in done.stderr or "sudo" in done.stderr, done.stderr
    assert "libbpf" not in done.stderr and done.stdout == "", done.stderr


def test_help_needs_nothing():
    unprivileged = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", lib.TAPLINE]
    for args in (["--help"], ["requests", "--help"], ["--version"]):
        done = run(*unprivileged, *args, check=False)
        equal((done.returncode, done.stderr), (0, ""), f"{args}")
        assert done.stdout.strip(), args
    text = run(lib.TAPLINE, "requests", "--help").stdout
    for option in ("--port", "--comm", "--net", "--container", "--fields", "--where", "--by",
                   "--in-flight", "--show-secrets", "--path-depth", "-o", "-d", "-n", "-p", "-H", "-v"):
        assert option in text, f"no {option} in the help"
    for line in text.splitlines():
        at_most(len(line), 100, f"width of {line!r}")


def test_manual_pages_and_completion():
    commands = run(lib.TAPLINE, "--list-commands").stdout.split()
    for name in ("requests", "packets", "doctor", "hello"):
        assert name in commands, commands
    for command in commands:
        page = run(lib.TAPLINE, command, "--man").stdout
        said = run("mandoc", "-Tlint", "-Wwarning", input=page, check=False)
        equal((said.returncode, said.stdout), (0, ""), f"mandoc of {command}")
        for section in ("NAME", "EXAMPLES", "OVERHEAD", "LIMITS"):
            assert re.search(rf'^\.S[Hh] "?{section}', page, re.M), f"no {section} in {command}'s page"
    run("bash", "-n", input=run(lib.TAPLINE, "--completion").stdout)


def test_completion_completes():
    script = run(lib.TAPLINE, "--completion").stdout
    probe = """
        COMP_WORDS=(tapline requests --po) COMP_CWORD=2 COMP_LINE='tapline requests --po' COMP_POINT=21
        function_name=$(complete -p tapline | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        $function_name tapline --po requests
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    words = run("bash", "-c", f"{script}\n{probe}").stdout.split()
    assert "--port" in words, words


def test_plain_tapline_is_requests():
    with Nginx() as nginx, Tapline("-o", "json", "--port", nginx.port, tool=None, json_rows=False) as t:
        ask(nginx, "/plain")
        t.stop()
        equal(list(one(t.rows, path="/plain")), lib.KEYS, "keys")


def test_verbose_says_what_was_attached():
    with Nginx() as nginx, Tapline("-v", "--port", nginx.port) as t:
        ask(nginx, "/1")
        t.stop()
        for word in ("cgroup_skb", "inet_sock_set_state"):
            assert word in t.ledger_text, f"no {word} in what -v said"


def test_verbose_says_how_much_was_verified():
    done = run(TAPLINE, "requests", "-v", "-d", 1)
    counts = re.findall(r"loaded (\w+): (\d+) instructions verified", done.stderr)
    assert {"tap_ingress", "tap_egress"} <= {name for name, _ in counts}, done.stderr
    assert all(int(n) > 0 for _, n in counts), counts


def test_hooks_of_one_kind():
    """Of a kind that this kernel has, and of one that it may refuse: then that is said, and no other is taken."""
    done = run(TAPLINE, "conns", "-v", "-d", 1, "--hooks", "tp_btf")
    assert "to tp_btf/sock_send_length" in done.stderr or "to fexit/tcp_sendmsg" in done.stderr, done.stderr
    done = run(TAPLINE, "conns", "-v", "-d", 1, "--hooks", "fexit", check=False)
    assert "sock_send_length" not in done.stderr, done.stderr
    if done.returncode:
        assert "no hook" in done.stderr, done.stderr
    else:
        assert "to fexit/tcp_sendmsg" in done.stderr, done.stderr
    done = run(TAPLINE, "conns", "--hooks", "magic", check=False)
    equal(done.returncode, 2, "--hooks magic")
