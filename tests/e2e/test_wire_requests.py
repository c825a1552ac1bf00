# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""requests -i on a router, on a client's and a server's host and on loopback: each call once, to the byte.
nginx's log is the truth for what was asked; a router has no sockets, and so no owners."""

import contextlib
import os
import re
import threading

import lib
from lib import Netns, Nginx, Proc, ab, at_least, at_most, curl, difference, equal, one, run, whole, wrk
from router import (CLIENT, NOT_ON_THE_WIRE, SERVER, all_whole, as_logged, connects, forwarded, lines, logged,
                  nothing_lost, null, through_router, wire)
from test_options import Cgroup

KILOBYTE = "location / { return 200 '%s'; }" % ("x" * 1024)


def stopped(tap):
    rows = tap.stop(seconds=60)
    nothing_lost(tap)
    return rows


@lib.alone
def test_10000_calls_through_a_router():
    """On either interface, on both at once, where each packet passes twice, and on all there are."""
    sets = {"v1": ["v1"], "w1": ["w1"], "both": ["v1", "w1"], "any": ["any"]}
    with through_router() as (a, r, b, v4, _), Nginx(KILOBYTE, ns=b, buffered=True) as nginx, \
            contextlib.ExitStack() as stack:
        taps = {name: stack.enter_context(wire(*links, ns=r, to_file=True)) for name, links in sets.items()}
        equal(ab(nginx.url("/kept", v4), 10000, ns=a), 10000, "ab's count")
        nginx.stop()
        log = nginx.log(10000)
        for name, tap in taps.items():
            rows = stopped(tap)
            equal(len(rows), 10000, f"rows on {name}")
            as_logged(rows, log)
            forwarded(rows)
            connects(rows, log)
            equal({(row["client"], row["server"], row["server_port"]) for row in rows},
                  {("10.213.8.2", v4, nginx.port)}, f"ends on {name}")


@lib.alone
def test_20000_connections_through_a_router():
    with through_router() as (a, r, b, v4, _), Nginx(KILOBYTE, ns=b, buffered=True) as nginx:
        with wire("v1", ns=r, to_file=True) as tap:
            equal(ab(nginx.url("/closed", v4), 20000, keepalive=False, ns=a), 20000, "ab's count")
            rows = stopped(tap)
        nginx.stop()
        as_logged(rows, nginx.log(20000))
        forwarded(rows)
        equal({row["connect_us"] is None for row in rows}, {False}, "connect_us is null")


@lib.alone
def test_ports_that_are_used_again_and_again():
    """200 client ports for 4,000 connections: each is another one to the tap."""
    with through_router() as (a, r, b, v4, _), Nginx(KILOBYTE, ns=b, buffered=True) as nginx:
        lib.sysctl("net.ipv4.ip_local_port_range", "40000 40199", ns=a)
        with wire("any", ns=r, to_file=True) as tap:
            equal(ab(nginx.url("/again", v4), 4000, keepalive=False, ns=a), 4000, "ab's count")
            rows = stopped(tap)
        nginx.stop()
        log = nginx.log(4000)
        at_most(len({e["remote_port"] for e in log}), 200, "ports")
        as_logged(rows, log)
        forwarded(rows)
        connects(rows, log)


def test_ipv6_through_a_router():
    with through_router() as (a, r, b, _, v6), Nginx(KILOBYTE, ns=b, buffered=True) as nginx:
        with wire("any", ns=r) as tap:
            equal(ab(nginx.url("/six", f"[{v6}]"), 2000, ns=a), 2000, "ab's count")
            rows = stopped(tap)
        nginx.stop()
        as_logged(rows, nginx.log(2000))
        forwarded(rows)
        equal({(row["client"], row["server"]) for row in rows}, {("fd13:8::2", v6)}, "ends")


@lib.alone
def test_saturation_by_wrk_through_a_router():
    with through_router() as (a, r, b, v4, _), Nginx(KILOBYTE, ns=b, workers=2, buffered=True) as nginx:
        with wire("v1", "w1", ns=r, to_file=True) as tap:
            count, _ = wrk(nginx.url("/", v4), seconds=2, connections=50, ns=a)
            rows = stopped(tap)
        nginx.stop()
        log = nginx.log()
        equal(len(rows), len(log), "rows against nginx's log lines")
        good = [row for row in rows if not row["quality"]]
        at_least(len(good), count, "whole rows against wrk's count")
        at_most(len(rows) - len(good), 50, "calls in flight when wrk left")
        more, less, _, _ = difference(logged(rows), lines(log))
        assert max(more, less) <= len(rows) - len(good), (more, less)  # what wrk left unread was logged


def test_a_bridge_shows_each_call_once():
    """What passes is seen on both ports and, with any, wherever else."""
    with Netns("a") as a, Netns("r") as r, Netns("b") as b, Nginx(KILOBYTE, ns=b, buffered=True) as nginx:
        made = run("ip", "-n", r, "link", "add", "br0", "type", "bridge", check=False)
        if made.returncode:
            raise lib.Skip(f"no bridge here: {made.stderr.strip()}")
        for host, address, name in ((a, "10.213.7.1/24", "v"), (b, "10.213.7.2/24", "w")):
            lib.veth(host, address, r, "0.0.0.0/0", name)
            run("ip", "-n", r, "link", "set", f"{name}1", "master", "br0")
        run("ip", "-n", r, "link", "set", "br0", "up")
        with wire("any", ns=r) as every, wire("v1", "w1", ns=r) as ports:
            equal(ab(nginx.url("/bridged", "10.213.7.2"), 1000, ns=a), 1000, "ab's count")
            taken = [stopped(tap) for tap in (every, ports)]
        nginx.stop()
        for rows in taken:
            as_logged(rows, nginx.log(1000))
            forwarded(rows)


# ---- several CPUs ----


def spread(r, to_server, to_client):
    """Receive packet steering: each direction of every connection is handled by CPUs of its own."""
    for link, cpus in (("v1", to_server), ("w1", to_client)):
        run("sh", "-c", f"echo {cpus} > /sys/class/net/{link}/queues/rx-0/rps_cpus", ns=r)
        done = run("cat", f"/sys/class/net/{link}/queues/rx-0/rps_cpus", ns=r).stdout
        equal(int(done.replace(",", ""), 16), cpus, f"CPUs of {link}")


def several_cpus(to_server, to_client):
    """Short calls, long answers and long requests at once, with several CPUs inside each connection."""
    if os.cpu_count() < 2:
        raise lib.Skip("one CPU only")
    server = KILOBYTE + """
        location /large { return 200 '%s'; }
        location /put { client_max_body_size 8m; proxy_pass http://unix:@DIR@/back.sock:; }
    """ % ("y" * 3900)
    backend = "server { listen unix:@DIR@/back.sock; access_log off; location / { return 200 'read\\n'; } }"
    with through_router() as (a, r, b, v4, _), Nginx(server, top=backend, ns=b, workers=2, buffered=True) as nginx:
        spread(r, to_server, to_client)
        for ns, link in ((a, "v0"), (b, "w0")):  # as many packets as there are segments
            run("ip", "-n", ns, "link", "set", link, "gso_max_segs", 1)
        body = nginx.file("body", size=200_000)
        counts = []
        with wire("v1", "w1", ns=r, to_file=True) as both, wire("w1", ns=r, to_file=True) as tap:
            asks = [lambda: counts.append(ab(nginx.url("/kept", v4), 5000, ns=a)),
                    lambda: counts.append(ab(nginx.url("/large", v4), 3000, connections=8, ns=a)),
                    lambda: counts.append(ab(nginx.url("/closed", v4), 3000, keepalive=False, ns=a)),
                    lambda: [curl("-H", "Expect:", "-T", body, nginx.url("/put", v4), ns=a) for _ in range(10)]]
            threads = [threading.Thread(target=ask) for ask in asks]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            equal(sorted(counts), [3000, 3000, 5000], "counts of ab")
            rows = {"both": stopped(both), "one": stopped(tap)}
        nginx.stop()
        for name, got in rows.items():
            print(name)
            as_logged(got, nginx.log(11010))
            forwarded(got)


@lib.alone
def test_each_direction_on_its_own_cpu():
    several_cpus(1, 2)


@lib.alone
def test_any_packet_on_any_cpu():
    several_cpus(3, 3)


# ---- owners ----


def test_owners_on_the_hosts_of_the_ends():
    with through_router() as (a, r, b, v4, v6), Nginx(ns=b) as nginx:
        with wire("v0", ns=a) as client, wire("w0", ns=b) as server, wire("v1", ns=r) as router:
            asked = [curl(nginx.url("/four", v4), ns=a), curl(nginx.url("/six", f"[{v6}]"), ns=a)]
            taken = [(t, t.stop()) for t in (client, server, router)]
        log = nginx.log(2)
        for tap, rows in taken:
            as_logged(rows, log)
            all_whole(rows)
            null(rows, *NOT_ON_THE_WIRE)
        at_client, at_server, between = [rows for _, rows in taken]
        for path, report in zip(("/four", "/six"), asked):
            row = one(at_client, path=path)
            equal((row["client_pid"], row["client_comm"], row["side"]), (report["pid"], "curl", "client"), path)
            row = one(at_server, path=path)
            equal((row["server_pid"], row["server_comm"], row["side"]), (nginx.workers[0], "nginx", "server"), path)
            at_most(one(at_client, path=path)["connect_us"], report["time_connect"] * 1e6 + 1000, "connect_us")
        null(at_client, *SERVER)
        null(at_server, *CLIENT)
        forwarded(between)


def loopback(host, address):
    with Netns("a") as a, Nginx(ns=a, workers=2) as nginx:
        for links in (["lo"], ["any"], ["lo", "any", "lo"]):
            with wire(*links, ns=a) as tap:
                asked = curl(nginx.url("/one?x=1", host), ns=a)
                row = one(tap.stop(), path="/one?x=1")
            entry = nginx.log()[-1]
            equal(list(row), lib.KEYS, "JSON keys")
            equal((row["client"], row["client_port"], row["server"], row["server_port"]),
                  (address, asked["local_port"], address, nginx.port), "ends")
            equal((row["client_pid"], row["client_comm"]), (asked["pid"], "curl"), "client")
            equal((row["server_pid"], row["server_comm"], row["side"]), (entry["pid"], "nginx", "both"), "server")
            equal((row["status"], row["request_bytes"], row["response_bytes"]),
                  (entry["status"], entry["request_length"], entry["bytes_sent"]), "bytes")
            at_most(row["total_us"], asked["time_total"] * 1e6 + 1000, "total_us")
            at_most(row["ttfb_us"], row["total_us"], "ttfb_us")
            at_most(row["connect_us"], asked["time_connect"] * 1e6 + 1000, "connect_us")
            null([row], *NOT_ON_THE_WIRE)
            whole(row)


def test_loopback_ipv4():
    loopback("127.0.0.1", "127.0.0.1")


def test_loopback_ipv6():
    loopback("[::1]", "::1")


@lib.alone
def test_10000_calls_on_loopback():
    with Netns("a") as a, Nginx(KILOBYTE, ns=a, workers=2, buffered=True) as nginx:
        workers = set(nginx.workers)
        with wire("lo", ns=a, to_file=True) as tap:
            equal(ab(nginx.url("/"), 10000, ns=a), 10000, "ab's count")
            rows = stopped(tap)
        nginx.stop()
        log = nginx.log(10000)
        as_logged(rows, log)
        all_whole(rows)
        connects(rows, log)
        # ab is gone before its last rows can be asked about, but not before its sockets were seen.
        equal({(row["client_comm"], row["server_comm"], row["side"]) for row in rows}, {("ab", "nginx", "both")}, "owners")
        served = {e["remote_port"]: e["pid"] for e in log}
        equal([row for row in rows if row["server_pid"] != served[row["client_port"]]][:2], [], "workers")
        assert set(served.values()) <= workers


def test_owners_of_connections_that_were_there_before():
    with Netns("a") as a, Nginx(ns=a) as nginx:
        with Proc(lib.real_python(), "-c", OLDER, nginx.port, ns=a, stdin=-1, stdout=-1, text=True) as client:
            equal(client.p.stdout.readline(), "/unseen\n", "first answer")
            with wire("lo", ns=a) as tap:
                for path in ("/second", "/third"):
                    client.p.stdin.write(path + "\n")
                    client.p.stdin.flush()
                    equal(client.p.stdout.readline(), path + "\n", "answer")
                rows = tap.stop()
            as_logged(rows, [e for e in nginx.log(3) if e["request_uri"] != "/unseen"])
            for row in rows:
                equal((row["client_pid"], row["server_pid"], row["side"]), (client.pid, nginx.workers[0], "both"), "ends")
                assert set(row["quality"]) <= {"midway"}, row["quality"]
            null(rows, "connect_us")
            whole(one(rows, path="/third"))


OLDER = """
import http.client, sys
c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
path = "/unseen"
while path:
    c.request("GET", path)
    c.getresponse().read()
    print(path, flush=True)
    path = sys.stdin.readline().strip()
"""


def test_what_is_forwarded_is_no_ones():
    """The router has a listener on the same port and a client of its own, to another address."""
    with through_router() as (a, r, b, v4, _), Nginx(ns=b) as nginx, Nginx(ns=r, port=nginx.port) as own:
        with wire("any", ns=r) as tap:
            curl(nginx.url("/forwarded", v4), ns=a)
            curl(own.url("/accepted", "10.213.8.1"), ns=a)
            asked = curl(nginx.url("/asked", v4), ns=r)
            rows = tap.stop()
        row = one(rows, path="/forwarded")
        null([row], *CLIENT, *SERVER, "side")
        row = one(rows, path="/accepted")
        equal((row["client_pid"], row["server_pid"], row["side"]), (None, own.workers[0], "server"), "accepted")
        row = one(rows, path="/asked")
        equal((row["client_pid"], row["server_pid"], row["side"]), (asked["pid"], None, "client"), "asked")


def test_an_address_that_is_rewritten_is_what_it_is_on_each_side():
    port, behind = lib.free_port(), lib.free_port()
    with lib.through_dnat(port, behind) as (a, b, address), Nginx(ns=b, port=behind) as nginx:
        router = str(a)[:-1] + "r"
        with wire("v1", ns=router) as front, wire("w1", ns=router) as back:
            curl(f"http://{address}:{port}/rewritten", ns=a)
            rows = [one(tap.stop(), path="/rewritten") for tap in (front, back)]
        equal([(row["client"], row["server"], row["server_port"]) for row in rows],
              [("10.213.8.2", address, port), ("10.213.9.1", "10.213.9.2", behind)], "ends")
        entry = nginx.log(1)[0]
        equal([row["response_bytes"] for row in rows], [entry["bytes_sent"]] * 2, "response_bytes")
        forwarded(rows)


# ---- filters and options ----


def test_a_filter_expression():
    with through_router() as (a, r, b, v4, v6), Nginx(ns=b) as nginx, Nginx(ns=b) as other:
        words = f"tcp port {nginx.port} and host {v4}"
        with wire("v1", args=[words], ns=r) as text, wire("v1", args=words.split(), ns=r) as several, \
                wire("v1", args=["udp", "or", "arp"], ns=r) as none, wire("v1", args=["--port", nginx.port], ns=r) as port, \
                wire("any", args=["--net", "fd13:8::/64"], ns=r) as net, \
                wire("v1", args=["--port", 1], ns=r) as nobody:
            curl(nginx.url("/asked-for", v4), ns=a)
            curl(nginx.url("/six", f"[{v6}]"), ns=a)
            curl(other.url("/other", v4), ns=a)
            rows = {name: [row["path"] for row in tap.stop()] for name, tap in (
                ("text", text), ("several", several), ("none", none), ("port", port), ("net", net), ("nobody", nobody))}
        equal(rows, {"text": ["/asked-for"], "several": ["/asked-for"], "none": [], "port": ["/asked-for", "/six"],
                     "net": ["/six"], "nobody": []}, "paths")
        for tap in (none, nobody):
            equal(tap.ledger("records"), 0, "records")


def test_ssh_is_left_out_unless_asked_for():
    with through_router() as (a, r, b, v4, _), Nginx(ns=b, port=22) as ssh:
        with wire("v1", ns=r) as silent, wire("v1", args=["--port", 22], ns=r) as port, \
                wire("v1", args=["tcp port 22"], ns=r) as named:
            curl(ssh.url("/on-22", v4), ns=a)
            rows = [[row["path"] for row in tap.stop()] for tap in (silent, port, named)]
        equal(rows, [[], ["/on-22"], ["/on-22"]], "paths")
        equal(silent.ledger("records"), 0, "records")


def test_groups_heads_and_fields():
    with through_router() as (a, r, b, v4, _), Nginx("location /no { return 503; }" + KILOBYTE, ns=b) as nginx:
        with wire("v1", args=["--by", "path,status"], ns=r) as by, wire("v1", args=["-H"], ns=r) as heads, \
                wire("v1", args=["--fields", "path,status", "--where", "status>=500"], ns=r) as some, \
                wire("w0", args=["--where", "server_comm==nginx", "--where", "status==503"], ns=b) as own, \
                wire("w0", args=["--where", "server_comm==apache"], ns=b) as others:
            for path in ("/yes", "/no", "/no", "/yes", "/yes"):
                curl("-H", "X-Asked: a value", nginx.url(path, v4), ns=a)
            groups, full, few = by.stop(), heads.stop(), some.stop()
        equal({(g["path"], g["status"]): g["calls"] for g in groups}, {("/yes", 200): 3, ("/no", 503): 2}, "calls")
        equal(few, [{"path": "/no", "status": 503}] * 2, "rows")
        equal(len(full), 5, "rows with heads")
        equal([row["path"] for row in own.stop()], ["/no", "/no"], "rows of a server by its name")
        equal(others.stop(), [], "rows of another")
        for row in full:
            assert "X-Asked: a value" in row["request_head"] and "Server: nginx" in row["response_head"], row


def test_the_filter_can_be_looked_at():
    text = run(lib.TAPLINE, "requests", "-i", "lo", "--dump-filter", "tcp port 80").stdout
    assert "ldh" in text and "ret" in text and len(text.splitlines()) > 20, text


def refused(*args):
    done = run(lib.TAPLINE, "requests", *args, check=False)
    equal(done.stdout, "", "standard output")
    return done.returncode, done.stderr


def test_what_cannot_be_is_said_in_a_sentence():
    for want, word, args in ((2, "--where", ("-i", "lo", "-p", "1")), (2, "--where", ("-i", "lo", "--comm", "curl")),
                             (2, "-i", ("tcp port 80",)),
                             (1, "there is no interface 'no-such-if'", ("-i", "no-such-if")),
                             (2, "--dump-filter", ("-i", "lo", "--dump-filter"))):
        status, said = refused(*args)
        assert status == want and word in said, (args, status, said)
        equal(len(said.splitlines()), 1, f"lines on standard error: {said}")
    with Cgroup("ef" * 32):
        status, said = refused("-i", "lo", "--container", "ef" * 32)
        assert status == 2 and "--where" in said, (status, said)
    status, said = refused("-i", "lo", "tcp prot 80")
    assert status == 2 and "filter: " in said and re.search(r"^\s*\^", said, re.M), (status, said)
