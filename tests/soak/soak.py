# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Runs five tools of tapline for hours under mixed traffic and looks for what grows or does not add up.
scripts/soak.sh says how; server.py, client.py: the traffic; watch.py, account.py: what is sampled and
added up; judge.py: the verdict; page.py: what is written."""

import argparse
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "e2e"), os.path.join(os.path.dirname(HERE), "bench"), HERE]
import account
import judge
import lib
import load
import page
import watch

# Below the ports of the end-to-end tests and of clients, and other ones for another run at the same time:
# --port takes those of the whole host, and only this run's traffic is on them.
NGINX, ECHO, HOLE, STREAM = PORTS = [18000 + os.getpid() % 400 * 4 + n for n in range(4)]
ADDRESSES = {"far": ("10.214.3.2", "fd14:3::2"), "lo": ("127.0.0.1", "::1")}
LAST = os.path.join(lib.BUILD, "soak-last.json")  # what a run found, whatever comes of it
SHORT, LONG = 0.02, 0.9  # hours: of the shortest run, and from which on it makes the page
LETTERS = {"a": "far", "b": "lo"}
SERVER = """
    location / { return 200 'hello\\n'; }
    location /big/ { try_files /big =404; }
    location /chunked/ { gzip on; try_files /text =404; }
    location ~ ^/(upload|chunked-up)/ { rewrite ^ /put break; dav_methods PUT; }
"""


def plan(hours):
    """(seconds of a cycle, cycles, seconds between samples): cycles of five minutes, or six short ones."""
    seconds = hours * 3600
    cycle = 300 if hours >= LONG else seconds / 6
    return cycle, max(6, round(seconds / cycle)), min(10, cycle / 30)


@contextlib.contextmanager
def two_hosts():
    with lib.Netns("a") as client, lib.Netns("b") as server:
        lib.veth(client, "10.214.3.1/24", server, "10.214.3.2/24", "s")
        for ns, address, link in ((client, "fd14:3::1/64", "s0"), (server, "fd14:3::2/64", "s1")):
            lib.run("ip", "-n", ns, "addr", "add", address, "dev", link, "nodad")
        yield client, server


def interface_packets(ns):
    """Packets that passed the interfaces of ns, as the kernel counts; on lo each once."""
    links = json.loads(lib.run("ip", "-j", "-s", "-n", ns, "link").stdout)
    return sum(link["stats64"]["rx"]["packets"] + (link["ifname"] != "lo") * link["stats64"]["tx"]["packets"]
               for link in links)


def tools(server):
    ports = [word for port in PORTS for word in ("--port", str(port))]
    return [watch.Watched("requests", ["requests", *ports], account.Requests(PORTS)),
            watch.Watched("conns", ["conns", *ports], account.Conns()),
            watch.Watched("top", ["top", "--by", "port", "--all", *ports, "10"], account.Top()),
            watch.Watched("latency", ["latency", *ports, "10"], account.Latency()),
            watch.Watched("count", ["count", "-i", "any", "10"], account.Count(), ns=server)]


class Client(lib.Proc):
    def __init__(self, letter, cycle, cycles, ns):
        self.letter = letter
        super().__init__(lib.real_python(), os.path.join(HERE, "client.py"), letter, cycle, cycles,
                         *ADDRESSES[LETTERS[letter]], *PORTS, ns=ns, stdout=subprocess.PIPE, stderr=None, text=True)

    def counted(self):
        """What it says at its end: its last line."""
        lines = self.p.communicate(timeout=60)[0].splitlines()
        lib.equal(self.p.returncode, 0, f"exit status of client {self.letter}")
        return json.loads(lines[-1])


def sample_all(watched, clients, start, cycle, cycles, every):
    """Samples until the clients' time is over; a line a minute says how it goes."""
    samples, said = [], 0
    while (now := time.monotonic() - start) < cycle * cycles:
        for client in clients:
            assert client.p.poll() is None, f"client {client.letter} ended early"
        sockets = watch.tcp_sockets()
        counted = watch.entries(watched)
        samples.append({"s": round(now, 2), "tcp_sockets": max(sockets, watch.tcp_sockets()),
                        "tools": {w.name: {**w.sample(), "entries": n} for w, n in zip(watched, counted)}})
        if now >= said * 60:
            said += 1
            held = ", ".join(f"{w.name} {samples[-1]['tools'][w.name]['rss_kb']} KB" for w in watched)
            print(f"soak: {now / 60:.0f} of {cycle * cycles / 60:.0f} min: {watched[0].rows} requests; RSS {held}",
                  file=sys.stderr, flush=True)
        time.sleep(max(0, min(len(samples) * every, cycle * cycles) - (time.monotonic() - start)))
    return samples


def nginx_lines(nginx):
    """Lines of its log, by kind, and those whose status is not 2xx."""
    kinds, bad = {}, 0
    with open(nginx.log_path) as f:
        for line in f:
            entry = dict(zip(lib.LOG_FIELDS, line.split()))
            kind = entry["request_uri"].split("/")[1]
            kinds[kind] = kinds.get(kind, 0) + 1
            bad += not entry["status"].startswith("2")
    return kinds, bad


def soak(hours):
    """Everything that was counted, as one object."""
    cycle, cycles, every = plan(hours)
    machine = load.machine()
    with contextlib.ExitStack() as stack:
        client_ns, server_ns = stack.enter_context(two_hosts())
        nginx = stack.enter_context(lib.Nginx(SERVER, port=NGINX, ns=server_ns, buffered=True))
        nginx.file("big", size=100_000)
        nginx.file("text", content=b"some text to be made small\n" * 400)
        python = lib.real_python()
        server = stack.enter_context(lib.Proc(python, os.path.join(HERE, "server.py"), ECHO, HOLE, STREAM,
                                              ns=server_ns, stderr=None))
        for port in PORTS[1:]:
            lib.wait_listening(server, port)
        before = interface_packets(server_ns)
        watched = [stack.enter_context(w) for w in tools(server_ns)]
        attached = interface_packets(server_ns)
        start = time.monotonic()
        clients = [stack.enter_context(Client(letter, cycle, cycles, client_ns if side == "far" else server_ns))
                   for letter, side in LETTERS.items()]
        samples = sample_all(watched, clients, start, cycle, cycles, every)
        counted = {c.letter: c.counted() for c in clients}
        time.sleep(4)  # the longest that a row waits for its other end, and top's and latency's last block
        missed = watch.missed(watched)
        detached = interface_packets(server_ns)
        for w in watched:
            w.stop()
        after = interface_packets(server_ns)
        nginx.stop()
        lines, bad = nginx_lines(nginx)
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = sum(r.ru_utime + r.ru_stime for r in (own, children))
    return {"machine": machine, "cpu_share": round(cpu / (time.monotonic() - start), 3), "hours": round(cycle * cycles / 3600, 3), "cycle_s": cycle, "cycles": cycles,
            "samples": samples, "nginx": lines, "nginx_not_2xx": bad, "clients": counted,
            "missed": missed, "interface_packets": [detached - attached, after - before],
            **judge.added_up(watched, counted, PORTS)}


def main():
    parser = argparse.ArgumentParser(prog="scripts/soak.sh")
    parser.add_argument("hours", type=float)
    parser.add_argument("--page", action="store_true", help="write docs/SOAK.md after a short run too")
    parser.add_argument("--again", action="store_true", help="judge the last run again, and write its page if it was long")
    options = parser.parse_args()
    lib.become_subreaper()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    if options.hours < SHORT:
        parser.error(f"a run takes {SHORT} hours or more, else its cycles have no quiet part")
    if not options.again:
        found = soak(options.hours)
        with open(LAST, "w") as f:
            json.dump(found, f)
    with open(LAST) as f:
        result = json.load(f)
    result["checks"] = judge.checks(result)
    for ok, what in result["checks"]:
        print(f"{'ok' if ok else 'FAILED'}: {what}")
    # No fault by itself, as few of these events are ones that rows are made of; it explains rows that are missing.
    print(f"runs of programs that the kernel left out: {result.get('missed', 'not counted')}")
    if options.page or result["hours"] >= LONG:
        page.write(result)
    return 0 if all(ok for ok, _ in result["checks"]) else 1


if __name__ == "__main__":
    sys.exit(main())
