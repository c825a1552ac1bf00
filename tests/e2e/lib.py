# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What end-to-end tests are written with: tapline itself, servers, clients and network namespaces.
Everything started here is a context manager, and whatever a test leaves is ended by its runner.

A test is a function test_*() in tests/e2e/test_*.py or src/tools/NAME/test*.py. The truth in it is
what the peer counted (nginx's log, wrk's report), never what tapline says of itself.
"""

import collections
import contextlib
import ctypes
import itertools
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("TAPLINE_BUILD", os.path.join(ROOT, "build"))
TAPLINE = os.path.join(BUILD, "tapline")
PROGRAMS = os.path.join(BUILD, "programs")

KEYS = """time client client_port client_pid client_comm client_container
server server_port server_pid server_comm server_container protocol method host path status request
request_bytes response_bytes connect_us ttfb_us total_us server_queue_us server_us retransmits srtt_us
side quality""".split()

# A guest of tests/matrix is a machine of its own, whose clock, CPUs and mounts a test may touch.
GUEST = "TAPLINE_GUEST" in os.environ

# In an emulated guest everything takes so much longer: a factor for limits of time.
SLOW = int(os.environ.get("TAPLINE_SLOW", "1"))

# Of which kind hooks have to be, where there is a choice: the matrix tries each.
HOOKS = os.environ.get("TAPLINE_HOOKS")

HTTP = "http"  # the name of HTTP/1.x in the column `protocol`


class Skip(Exception):
    """Raised by a test whose feature probe says that this machine cannot run it; str() is why."""


def guest_only(what):
    if not GUEST:
        raise Skip(f"{what} is done in guests only: scripts/matrix.sh --tests --cpus 2 --kernel 6.12 faults/guest")


def timeout(seconds):
    """The test may take longer than the runner's 120 s."""

    def mark(function):
        function.timeout = seconds
        return function

    return mark


def alone(function):
    """The test measures, or loads the machine: with -j it runs by itself."""
    function.alone = True
    return function


def wait_for(condition, seconds, what):
    """Polls until condition() is true and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.01)


def equal(got, want, what=""):
    assert got == want, f"{what}: got {got!r}, want {want!r}"


def difference(got, want):
    """What is too much in one list and missing in it, by the other: how much, and a few of each."""
    got, want = collections.Counter(got), collections.Counter(want)
    more, less = got - want, want - got
    return sum(more.values()), sum(less.values()), list(more)[:3], list(less)[:3]


def same(got, want, what=""):
    """The two lists hold the same, in any order."""
    equal(difference(got, want), (0, 0, [], []), f"{what}: too many, missing, which")


def at_most(got, limit, what=""):
    assert got is not None and got <= limit, f"{what}: got {got!r}, want at most {limit!r}"


def at_least(got, limit, what=""):
    assert got is not None and got >= limit, f"{what}: got {got!r}, want at least {limit!r}"


def select_rows(rows, **fields):
    return [r for r in rows if all(r.get(k) == v for k, v in fields.items())]


def one(rows, **fields):
    """The only row with these fields."""
    found = select_rows(rows, **fields)
    assert len(found) == 1, f"{len(found)} of {len(rows)} rows have {fields}, want 1"
    return found[0]


def whole(row):
    equal(row["quality"], [], f"quality of {row['method']} {row['path']}")


# ---- processes ----

_ports = itertools.count(os.getpid() % 700 * 17)


def free_port():
    """A TCP port nobody listens on, below the range that the kernel gives to clients."""
    while True:
        port = 20000 + next(_ports) % 12000
        with socket.socket(socket.AF_INET6) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("::", port))
                return port
            except OSError:
                continue


def children(pid):
    """Direct children, read from every stat line: the children file is not in every kernel."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", "rb") as f:
                if int(f.read().rpartition(b")")[2].split()[1]) == pid:
                    found.append(int(entry))
    return sorted(found)


def kill_descendants(pid=None, spare=()):
    """Kills what is below pid; with a subreaper above, nothing can have escaped to init."""
    for child in children(pid or os.getpid()):
        if child not in spare:
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGSTOP)  # no more children while we look
            kill_descendants(child)
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)


def become_subreaper():
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER of prctl(2)


def in_ns(ns, args):
    """args, to be run in namespace ns; `ip netns exec` executes, so the pid is the program's."""
    return ["ip", "netns", "exec", str(ns), *args] if ns else list(args)


def run(*args, ns=None, check=True, **more):
    """A command to its end; its output as text. Fails the test with what it printed."""
    more.setdefault("timeout", 60)
    done = subprocess.run(
        in_ns(ns, [str(a) for a in args]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=more.pop("stdin", subprocess.DEVNULL) if "input" not in more else None,
        text=True,
        errors="replace",
        **more,
    )
    if check and done.returncode:
        raise AssertionError(f"{args} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


class Proc:
    """A program in the background, ended on leaving the block."""

    def __init__(self, *args, ns=None, stop_signal=signal.SIGTERM, **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("stdout", subprocess.DEVNULL)
        more.setdefault("stderr", subprocess.DEVNULL)
        self.stop_signal = stop_signal
        self.p = subprocess.Popen(in_ns(ns, [str(a) for a in args]), **more)
        self.pid = self.p.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, seconds=10):
        if self.p.poll() is None:
            self.p.send_signal(self.stop_signal)
            try:
                self.p.wait(seconds)
            except subprocess.TimeoutExpired:
                kill_descendants(self.pid)
                self.p.kill()
                self.p.wait()
        return self.p.returncode

    def kill(self):
        self.p.kill()
        self.p.wait()


def listening(pid, port):
    """Is there a listener on port in pid's network namespace? Asked without connecting."""
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/net/{table}") as f:
            for line in itertools.islice(f, 1, None):
                word = line.split()
                if word[3] == "0A" and int(word[1].rpartition(":")[2], 16) == port:
                    return True
    return False


def wait_listening(proc, port, seconds=20):
    def ready():
        assert proc.p.poll() is None, f"{proc.p.args} ended with {proc.p.returncode}"
        return listening(proc.pid, port)

    wait_for(ready, seconds, f"{proc.p.args[0]} to listen on port {port}")


def program(name):
    """The path of a C test program of tests/programs."""
    path = os.path.join(PROGRAMS, name)
    assert os.path.exists(path), f"{path} is not built: make programs"
    return path


@contextlib.contextmanager
def temp_dir():
    path = tempfile.mkdtemp(prefix="tapline-test-")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


# ---- tapline ----

started = []  # every Tapline of this test: what the runner shows when it fails


def start_tapline(args, ns=None, env=None, **more):
    """(process, descriptor for wait_ready): tapline says `ready` on TAPLINE_READY_FD once attached."""
    ready_read, ready_write = os.pipe()
    more.setdefault("stdin", subprocess.DEVNULL)
    try:
        p = subprocess.Popen(in_ns(ns, args), pass_fds=[ready_write], process_group=0,
                             env={**os.environ, **(env or {}), "TAPLINE_READY_FD": str(ready_write)}, **more)
    except BaseException:
        os.close(ready_read)
        raise
    finally:
        os.close(ready_write)
    return p, ready_read


def wait_ready(fd, seconds=20):
    """Waits for `ready` and closes fd."""
    said = b""
    end = time.monotonic() + seconds
    try:
        while b"ready\n" not in said:
            left = end - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                raise AssertionError(f"tapline was not ready within {seconds} s")
            piece = os.read(fd, 64)
            assert piece, "tapline ended before it was ready"
            said += piece
    finally:
        os.close(fd)


def ledger_number(text, name):
    """The number beside name in a ledger; a line that is not there fails the test."""
    m = re.search(rf"^\W*(?:tapline: )?{re.escape(name)}:?\s+([\d,]+)", text, re.M)
    assert m, f"no {name!r} in the ledger:\n{text}"
    return int(m.group(1).replace(",", ""))


class Tapline:
    """build/tapline with args, ready when the block begins, and stopped by SIGINT at its end.

    rows: the JSON rows so far. ledger_text: standard error. to_file: rows go to a file, for runs at
    saturation, where a reader in this process would take the CPU from the load.
    """

    def __init__(self, *args, tool="requests", json_rows=True, to_file=False, ns=None, env=None,
                 before=(), wait=20, binary=TAPLINE, **more):
        command = [binary] if binary else []
        if tool:
            command.append(tool)
        if json_rows:
            command += ["-o", "json"]
        if HOOKS and tool in ("requests", "conns", "top", "latency"):
            command += ["--hooks", HOOKS]
        self.args = [*before, *command, *[str(a) for a in args]]
        self.ns, self.env, self.wait, self.to_file, self.more = ns, env, wait, to_file, more
        self.out = bytearray()
        self.err = bytearray()
        self.parsed, self.parsed_to = [], 0
        self.p = None
        self.ended = False
        started.append(self)

    def __enter__(self):
        self.file = tempfile.TemporaryFile() if self.to_file else None
        self.p, ready = start_tapline(self.args, ns=self.ns, env=self.env,
                                      stdout=self.file or subprocess.PIPE, stderr=subprocess.PIPE, **self.more)
        self.threads = [threading.Thread(target=self._read, args=(self.p.stderr, self.err))]
        if not self.to_file:
            self.threads.append(threading.Thread(target=self._read, args=(self.p.stdout, self.out)))
        for t in self.threads:
            t.daemon = True
            t.start()
        try:
            wait_ready(ready, self.wait)
        except BaseException:
            self.kill()
            raise
        return self

    @staticmethod
    def _read(pipe, into):
        while piece := os.read(pipe.fileno(), 1 << 16):
            into += piece

    def _join(self):
        for t in self.threads:
            t.join(10)
        if self.file:
            self.file.seek(0)
            self.out = bytearray(self.file.read())
            self.file.close()
            self.file = None

    def __exit__(self, kind, *_):
        if kind:
            self.kill()
        elif not self.ended:
            self.stop()

    @property
    def pid(self):
        return self.p.pid

    @property
    def text(self):
        """Standard output so far."""
        return self.out.decode("utf-8", "replace")

    @property
    def ledger_text(self):
        return self.err.decode("utf-8", "replace")

    @property
    def rows(self):
        """Every whole line of output so far as an object; a line that is not JSON fails the test."""
        end = self.out.rfind(b"\n") + 1
        if end > self.parsed_to:
            for line in bytes(self.out[self.parsed_to:end]).split(b"\n")[:-1]:
                try:
                    self.parsed.append(json.loads(line.decode("utf-8")))
                except ValueError as e:
                    raise AssertionError(f"not a JSON line: {line!r}: {e}") from None
            self.parsed_to = end
        return self.parsed

    def expect_rows(self, n, seconds=10, **fields):
        """Waits for at least n rows with these fields, and returns them."""
        end = time.monotonic() + seconds
        while True:
            found = select_rows(self.rows, **fields)
            if len(found) >= n:
                return found
            if time.monotonic() > end or (self.p.poll() is not None and not self.threads[-1].is_alive()):
                raise AssertionError(f"{len(found)} rows with {fields} after {seconds} s, want {n}")
            time.sleep(0.01)

    def ledger(self, name):
        return ledger_number(self.ledger_text, name)

    def wait_end(self, seconds=10):
        """Waits until it ends by itself; its exit status."""
        try:
            self.p.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"tapline still ran {seconds} s later") from None
        self._join()
        self.ended = True
        return self.p.returncode

    def stop(self, with_signal=signal.SIGINT, seconds=15):
        """Ends it as Ctrl-C does, demands exit status 0, and returns all rows."""
        if not self.ended:
            self.p.send_signal(with_signal)
            equal(self.wait_end(seconds), 0, "exit status of tapline")
        return self.rows if "json" in self.args else None

    def kill(self):
        self.ended = True
        if self.p and self.p.poll() is None:
            self.p.kill()
            self.p.wait()
        if self.p:
            self._join()

    def report(self):
        """For a failed test."""
        lines = self.text.splitlines()
        return "\n".join([
            f"-- {' '.join(self.args)}: {len(lines)} lines, the last:",
            *[line[:700] for line in lines[-12:]],
            "-- standard error:",
            self.ledger_text[-3000:],
        ])


# ---- network namespaces ----


def sysctl(name, value, ns=None):
    run("sysctl", "-qw", f"{name}={value}", ns=ns)


class Netns:
    """A network namespace with loopback up; named for this process, so that runs do not meet."""

    def __init__(self, label):
        self.name = f"tapline-{os.getpid()}-{label}"

    def __str__(self):
        return self.name

    def __enter__(self):
        probe = run("ip", "netns", "add", self.name, check=False)
        if probe.returncode:
            raise Skip(f"no network namespaces here: {probe.stderr.strip()}")
        try:
            run("ip", "link", "set", "lo", "up", ns=self)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        run("ip", "netns", "del", self.name, check=False)


def counter(name, ns=None):
    """One of the kernel's own counts for a network namespace."""
    return _number(rf"^{name}\s+(\d+)", run("nstat", "-asz", name, ns=ns).stdout, name)


def delete_namespaces(pid):
    """Removes the namespaces of a test that could not do so itself."""
    for line in run("ip", "netns", "list", check=False).stdout.splitlines():
        if line.startswith(f"tapline-{pid}-"):
            run("ip", "netns", "del", line.split()[0], check=False)


def veth(a, a_address, b, b_address, name="v"):
    """A pair of interfaces, one in each namespace, with these addresses (with prefix length).
    They go away with their namespaces. Returns the two interface names."""
    left, right = f"{name}0", f"{name}1"
    run("ip", "-n", a, "link", "add", left, "type", "veth", "peer", "name", right, "netns", b)
    for ns, link, address in ((a, left, a_address), (b, right, b_address)):
        more = ["nodad"] if ":" in address else []
        run("ip", "-n", ns, "addr", "add", address, "dev", link, *more)
        run("ip", "-n", ns, "link", "set", link, "up")
    return left, right


@contextlib.contextmanager
def two_hosts():
    """Two namespaces joined by a veth pair: (client, server, server's IPv4, server's IPv6)."""
    with Netns("a") as a, Netns("b") as b:
        veth(a, "10.213.7.1/24", b, "10.213.7.2/24")
        for ns, address, link in ((a, "fd13:7::1/64", "v0"), (b, "fd13:7::2/64", "v1")):
            run("ip", "-n", ns, "addr", "add", address, "dev", link, "nodad")
        yield a, b, "10.213.7.2", "fd13:7::2"


@contextlib.contextmanager
def through_dnat(port, to_port):
    """Client and server behind a router that rewrites 10.213.8.1:port to the server's to_port.
    Yields (client namespace, server namespace, the address the client asks)."""
    with Netns("a") as a, Netns("r") as router, Netns("b") as b:
        veth(a, "10.213.8.2/24", router, "10.213.8.1/24", "v")
        veth(b, "10.213.9.2/24", router, "10.213.9.1/24", "w")
        run("ip", "-n", a, "route", "add", "default", "via", "10.213.8.1")
        run("ip", "-n", b, "route", "add", "default", "via", "10.213.9.1")
        sysctl("net.ipv4.ip_forward", 1, ns=router)
        rules = (
            "table ip nat {\n"
            " chain pre { type nat hook prerouting priority -100;\n"
            f"  tcp dport {port} dnat to 10.213.9.2:{to_port}\n }}\n"
            " chain post { type nat hook postrouting priority 100; masquerade\n }\n}\n"
        )
        loaded = run("nft", "-f", "-", ns=router, input=rules, check=False)
        if loaded.returncode:
            raise Skip(f"nft cannot do NAT here: {loaded.stderr.strip().splitlines()[0]}")
        yield a, b, "10.213.8.1"


# ---- servers ----

LOG_FIELDS = """msec pid connection connection_requests status request_length bytes_sent remote_addr
remote_port request_time request_method request_uri""".split()
LOG_NUMBERS = {"pid", "connection", "connection_requests", "status", "request_length", "bytes_sent",
               "remote_port"}


class Nginx(Proc):
    """nginx in the foreground with a prefix of its own.

    server: the inside of its server block, after the listen lines. top: more of the http block.
    listen: what stands after `listen PORT` (reuseport). Log lines are in log(), after stop() for a
    buffered log.
    """

    def __init__(self, server="location / { return 200 'hello\\n'; }", workers=1, port=None, ns=None,
                 listen="", top="", buffered=False, keepalive_requests=100000000):
        self.dir = tempfile.mkdtemp(prefix="tapline-nginx-")
        self.port = port or free_port()
        self.root = os.path.join(self.dir, "www")
        os.mkdir(self.root)
        self.log_path = os.path.join(self.dir, "access.log")
        log_format = " ".join("$" + f for f in LOG_FIELDS)
        temp = "\n".join(
            f"{kind}_temp_path {self.dir}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config = f"""
            daemon off; user root; worker_processes {workers};
            pid {self.dir}/pid; error_log {self.dir}/error.log notice;
            worker_rlimit_nofile 8192;
            events {{ worker_connections 4096; }}
            http {{
                {temp}
                log_format count '{log_format}';
                access_log {self.log_path} count{' buffer=1m flush=5s' if buffered else ''};
                sendfile on; tcp_nopush on; keepalive_requests {keepalive_requests};
                default_type text/plain;
                {top.replace('@DIR@', self.dir)}
                server {{
                    listen {self.port} {listen};
                    listen [::]:{self.port} {listen};
                    root {self.root};
                    {server.replace('@DIR@', self.dir)}
                }}
            }}"""
        with open(f"{self.dir}/nginx.conf", "w") as f:
            f.write(config)
        super().__init__("nginx", "-p", self.dir, "-e", f"{self.dir}/error.log", "-c",
                         f"{self.dir}/nginx.conf", ns=ns, stop_signal=signal.SIGQUIT)
        try:
            wait_listening(self, self.port)
            wait_for(lambda: len(children(self.pid)) == workers, 10, "nginx's workers")
        except BaseException:
            with open(f"{self.dir}/error.log") as f:
                sys.stderr.write(f.read())
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    @property
    def workers(self):
        return children(self.pid)

    def url(self, path="/", host="127.0.0.1"):
        return f"http://{host}:{self.port}{path}"

    def file(self, name, size=None, content=None):
        """A file below its root: content, or a sparse one of size bytes."""
        path = os.path.join(self.root, name)
        with open(path, "wb") as f:
            f.write(content or b"")
            if size is not None:
                f.truncate(size)
        return path

    def log(self, lines=None):
        """Log lines as dicts; waits for `lines` of them."""
        if lines is not None:
            wait_for(lambda: self._count() >= lines, 10, f"{lines} lines in nginx's log")
        entries = []
        with open(self.log_path) as f:
            for line in f:
                entry = dict(zip(LOG_FIELDS, line.split()))
                entries.append({k: int(v) if k in LOG_NUMBERS else v for k, v in entry.items()})
        return entries

    def _count(self):
        with open(self.log_path, "rb") as f:
            return f.read().count(b"\n")


class Script(Proc):
    """A server of a few lines for an interpreter: source is run by command, with the port as its
    argument (and in the environment as PORT), and the block begins when it listens."""

    def __init__(self, command, source, port=None, ns=None, args=(), seconds=20):
        self.port = port or free_port()
        with tempfile.NamedTemporaryFile("w", prefix="tapline-script-", delete=False) as f:
            f.write(source)
            self.path = f.name
        super().__init__(*command, self.path, self.port, *args, ns=ns,
                         env={**os.environ, "PORT": str(self.port)}, stderr=None)
        try:
            wait_listening(self, self.port, seconds)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.stop()
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    def url(self, path="/", host="127.0.0.1"):
        return f"http://{host}:{self.port}{path}"


def real_python():
    """The interpreter itself: a shim of a version manager would be a shell with another name."""
    return os.path.realpath(sys.executable)


class HttpServer(Proc):
    """python3 -m http.server on a directory."""

    def __init__(self, directory, port=None, ns=None):
        self.port = port or free_port()
        super().__init__(real_python(), "-m", "http.server", "--directory", directory, "--bind",
                         "127.0.0.1", self.port, ns=ns)
        wait_listening(self, self.port)

    def url(self, path="/", host="127.0.0.1"):
        return f"http://{host}:{self.port}{path}"


# ---- clients ----


class Curl(Proc):
    """curl in the background; result() is its own account (-w '%{json}') as a dict, with pid."""

    def __init__(self, *args, ns=None, check=True):
        self.check = check
        self.body = tempfile.TemporaryFile()
        report, self.report = tempfile.TemporaryFile(), None
        self.err = report
        super().__init__("curl", "-sS", "--noproxy", "*", "-w", "%{stderr}%{json}\n", *args, ns=ns,
                         stdout=self.body, stderr=report)

    def result(self, seconds=60):
        self.p.wait(seconds)
        self.err.seek(0)
        said = self.err.read().decode("utf-8", "replace")
        if self.check and self.p.returncode:
            raise AssertionError(f"curl ended with {self.p.returncode}: {said}")
        line = [w for w in said.splitlines() if w.startswith("{")]
        answer = json.loads(line[-1]) if line else {}
        self.body.seek(0)
        answer.update(pid=self.pid, returncode=self.p.returncode, body=self.body.read())
        self.body.close()
        self.err.close()
        return answer


def curl(*args, ns=None, check=True, seconds=60):
    """One curl run; see Curl."""
    with Curl(*args, ns=ns, check=check) as c:
        return c.result(seconds)


def _number(pattern, text, what):
    m = re.search(pattern, text, re.M)
    assert m, f"no {what} in:\n{text}"
    return int(m.group(1))


def wrk(url, seconds=3, connections=50, threads=1, ns=None):
    """(requests that wrk counted, its report). wrk leaves out the calls in flight at its end."""
    text = run("wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", url, ns=ns,
               timeout=seconds + 30).stdout
    assert "Non-2xx" not in text and "Socket errors" not in text, text
    return _number(r"^\s*(\d+) requests in", text, "count"), text


def ab(url, n, connections=20, keepalive=True, ns=None, seconds=100):
    """Requests that ab counted as answered; fails on failed ones."""
    text = run("ab", "-q", "-r", *(["-k"] if keepalive else []), "-n", n, "-c", connections, url, ns=ns,
               timeout=seconds).stdout
    equal(_number(r"^Failed requests:\s+(\d+)", text, "failures"), 0, "ab: failed requests")
    return _number(r"^Complete requests:\s+(\d+)", text, "count")


def h2load(url, n, connections=20, ns=None):
    """Requests that h2load --h1 counted as succeeded."""
    text = run("h2load", "--h1", "-n", n, "-c", connections, url, ns=ns).stdout
    return _number(r"^requests:.* (\d+) succeeded", text, "count")


class Connection:
    """A TCP connection of this process, for clients that must write in their own way."""

    def __init__(self, port, host="127.0.0.1", seconds=10):
        self.s = socket.create_connection((host, port), seconds)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = self.s.getsockname()[1]
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()

    def send(self, *pieces, pause=0.0):
        for i, piece in enumerate(pieces):
            if i and pause:
                time.sleep(pause)
            self.s.sendall(piece if isinstance(piece, bytes) else piece.encode())

    def read_until(self, mark):
        """Bytes up to and with mark."""
        while mark not in self.buffer:
            piece = self.s.recv(1 << 16)
            assert piece, f"closed before {mark!r}: {self.buffer[-200:]!r}"
            self.buffer += piece
        got, _, self.buffer = self.buffer.partition(mark)
        return got + mark

    def read(self, n):
        while len(self.buffer) < n:
            piece = self.s.recv(1 << 16)
            assert piece, f"closed {n - len(self.buffer)} bytes early"
            self.buffer += piece
        got, self.buffer = self.buffer[:n], self.buffer[n:]
        return got

    def response(self):
        """One HTTP response with Content-Length: (status, head, body)."""
        head = self.read_until(b"\r\n\r\n")
        m = re.search(rb"(?i)^content-length:\s*(\d+)", head, re.M)
        return int(head.split()[1]), head, self.read(int(m.group(1)) if m else 0)

    def reset(self):
        """Closes with RST."""
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.s.close()
