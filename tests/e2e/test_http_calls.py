# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""One call, one row: names, addresses, sizes and times on each kind of path between two sockets.
nginx's log is the truth for sizes, pids and statuses; curl's report for the client's side."""

import datetime
import re
import time

import lib
from lib import Nginx, Tapline, at_least, at_most, curl, equal, one, whole


def check_against_log(row, entry):
    equal(row["method"], entry["request_method"], "method")
    equal(row["path"], entry["request_uri"], "path")
    equal(row["status"], entry["status"], "status")
    equal(row["request_bytes"], entry["request_length"], "request_bytes")
    equal(row["response_bytes"], entry["bytes_sent"], "response_bytes")
    equal(row["server_pid"], entry["pid"], "server_pid is the worker's")
    whole(row)


def check_ends(row, asked, client, server, server_port):
    equal((row["client"], row["server"], row["server_port"]), (client, server, server_port), "ends")
    equal(row["client_port"], asked["local_port"], "client_port")
    equal((row["client_pid"], row["client_comm"]), (asked["pid"], "curl"), "client")
    equal((row["server_comm"], row["side"]), ("nginx", "both"), "server and side")


def loopback(host, address):
    began = time.time()
    with Nginx(workers=2) as nginx, Tapline("--port", nginx.port) as t:
        asked = curl(nginx.url("/one?x=1", host), "-A", "test")
        rows = t.stop()
        entry = nginx.log(1)[0]
        equal(len(rows), 1, "rows")
        row = rows[0]
        equal(list(row), lib.KEYS, "JSON keys")
        equal(row["protocol"], lib.HTTP, "protocol")
        equal(row["host"], f"{host}:{nginx.port}", "host")
        check_against_log(row, entry)
        check_ends(row, asked, address, address, nginx.port)
        assert row["server_pid"] in nginx.workers and row["server_pid"] != nginx.pid

        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", row["time"]), row["time"]
        stamp = datetime.datetime.fromisoformat(row["time"]).timestamp()
        assert began - 0.1 <= stamp <= time.time() + 0.1, f"time {row['time']} is not now"
        at_most(row["connect_us"], asked["time_connect"] * 1e6 + 1000, "connect_us")
        at_most(row["total_us"], asked["time_total"] * 1e6 + 1000, "total_us")
        at_most(row["ttfb_us"], row["total_us"], "ttfb_us")
        at_most(row["server_queue_us"] + row["server_us"], row["total_us"], "server's share")
        equal(row["retransmits"], 0, "retransmits")
        assert row["request"] is None, "request is for protocol tcp"


def test_loopback_ipv4():
    loopback("127.0.0.1", "127.0.0.1")


def test_loopback_ipv6():
    loopback("[::1]", "::1")


def test_two_namespaces_joined_by_veth():
    with lib.two_hosts() as (a, b, v4, v6), Nginx(ns=b, workers=2) as nginx:
        with Tapline("--port", nginx.port) as t:
            asked = curl(nginx.url("/four", v4), ns=a)
            asked6 = curl(nginx.url("/six", f"[{v6}]"), ns=a)
            rows = t.stop()
        equal(len(rows), 2, "rows")
        entries = nginx.log(2)
        for path, report, client, server, entry in (
            ("/four", asked, "10.213.7.1", v4, entries[0]),
            ("/six", asked6, "fd13:7::1", v6, entries[1]),
        ):
            check_against_log(one(rows, path=path), entry)
            check_ends(one(rows, path=path), report, client, server, nginx.port)


def test_through_dnat():
    port, behind = lib.free_port(), lib.free_port()
    with lib.through_dnat(port, behind) as (a, b, address), Nginx(ns=b, port=behind) as nginx:
        with Tapline() as t:
            asked = curl(f"http://{address}:{port}/through-dnat", ns=a)
            rows = t.stop()
        row = one(rows, path="/through-dnat")
        check_against_log(row, nginx.log(1)[0])
        equal((row["client_pid"], row["client_comm"]), (asked["pid"], "curl"), "client")
        equal((row["server_comm"], row["side"]), ("nginx", "both"), "server and side")
        # One pair of addresses that a socket has: what was asked, or what answered.
        assert (row["server"], row["server_port"]) in ((address, port), ("10.213.9.2", behind)), row


def test_client_only():
    with lib.two_hosts() as (a, b, v4, _), Nginx(ns=b) as nginx:
        with Tapline("--comm", "curl") as t:
            asked = curl(nginx.url("/client-only", v4), ns=a)
            rows = t.stop()
        row = one(rows, path="/client-only")
        equal((row["side"], row["client_pid"], row["status"]), ("client", asked["pid"], 200), "row")
        for key in ("server_pid", "server_comm", "server_container", "server_us", "server_queue_us"):
            equal(row[key], None, key)
        equal(row["response_bytes"], nginx.log(1)[0]["bytes_sent"], "response_bytes")
        whole(row)


def test_server_only():
    with lib.two_hosts() as (a, b, v4, _), Nginx(ns=b) as nginx:
        with Tapline("--comm", "nginx") as t:
            curl(nginx.url("/server-only", v4), ns=a)
            rows = t.stop()
        row = one(rows, path="/server-only")
        equal((row["side"], row["server_pid"], row["status"]), ("server", nginx.workers[0], 200), "row")
        for key in ("client_pid", "client_comm", "client_container"):
            equal(row[key], None, key)
        equal(row["request_bytes"], nginx.log(1)[0]["request_length"], "request_bytes")
        whole(row)


def test_head_204_304_errors():
    server = """
        if_modified_since before;
        location /none { return 204; }
        location /teapot { return 418; }
        location /broken { return 500; }
        location /moved { return 301 /elsewhere; }
    """
    with Nginx(server) as nginx, Tapline("--port", nginx.port) as t:
        nginx.file("page", content=b"x" * 5000)
        head = curl("-I", nginx.url("/page"))["body"]
        curl("-H", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT", nginx.url("/page?again"))
        for path in ("/none", "/teapot", "/broken", "/moved", "/absent"):
            curl(nginx.url(path))
        curl("-X", "DELETE", nginx.url("/page?delete"))
        curl("-X", "PATCH-IT", nginx.url("/page?own-method"))
        rows = t.stop()
        entries = nginx.log(9)
        equal(len(rows), 9, "rows")
        for entry in entries:
            check_against_log(
                one(rows, path=entry["request_uri"], method=entry["request_method"]), entry)
        equal(one(rows, method="HEAD")["response_bytes"], len(head), "bytes of the HEAD response")
        equal(one(rows, path="/page?again")["status"], 304, "status")
        equal(one(rows, path="/none")["status"], 204, "status")


def test_http_1_0():
    with Nginx() as nginx, Tapline("--port", nginx.port) as t:
        curl("--http1.0", nginx.url("/old"))
        with lib.Connection(nginx.port) as c:
            c.send("GET /bare HTTP/1.0\r\n\r\n")
            c.read_until(b"hello\n")
        rows = t.stop()
        for entry in nginx.log(2):
            check_against_log(one(rows, path=entry["request_uri"]), entry)
        equal(one(rows, path="/bare")["host"], None, "host that was not sent")


def test_keep_alive_rows_are_in_order_and_connect_is_of_the_first():
    with Nginx() as nginx, Tapline("--port", nginx.port) as t:
        with lib.Connection(nginx.port) as c:
            for i in range(5):
                c.send(f"GET /{i} HTTP/1.1\r\nHost: h\r\n\r\n")
                equal(c.response()[0], 200, "status")
        rows = t.stop()
        equal([r["path"] for r in rows], [f"/{i}" for i in range(5)], "order")
        equal([r["connect_us"] is None for r in rows], [False] + [True] * 4, "connect_us is null")
        equal({r["client_port"] for r in rows}, {c.port}, "client ports")
        for row, entry in zip(rows, nginx.log(5)):
            check_against_log(row, entry)


def test_row_comes_while_the_connection_stays_open():
    with Nginx() as nginx, Tapline("--port", nginx.port) as t, lib.Connection(nginx.port) as c:
        c.send("GET /now HTTP/1.1\r\nHost: h\r\n\r\n")
        c.response()
        whole(t.expect_rows(1, 5, path="/now", status=200)[0])
        c.send("GET /next HTTP/1.1\r\nHost: h\r\n\r\n")
        c.response()
        whole(t.expect_rows(1, 5, path="/next", status=200)[0])
        equal(len(t.stop()), 2, "rows")


SLOW_NODE = """
require('http').createServer((q, r) => {
    setTimeout(() => { r.write('first'); setTimeout(() => r.end('last'), 200) }, 300)
}).listen(process.argv[2])
"""


def test_times_of_a_slow_answer():
    with lib.Script(["node"], SLOW_NODE) as node, Tapline("--port", node.port) as t:
        asked = curl(node.url("/slow"))
        row = one(t.stop(), path="/slow")
        at_least(row["ttfb_us"], 295_000, "ttfb_us")
        at_least(row["server_us"], 290_000, "server_us")
        for key, end in (("ttfb_us", "time_starttransfer"), ("server_us", "time_starttransfer"), ("total_us", "time_total")):
            at_most(row[key], (asked[end] - asked["time_pretransfer"]) * 1e6 + 5000 * lib.SLOW,
                    f"{key} against curl's")
        at_least(row["total_us"], 495_000, "total_us")
        at_least(row["total_us"], (asked["time_total"] - asked["time_pretransfer"]) * 1e6 - 20_000 * lib.SLOW,
                 "total_us against curl's")
        whole(row)


ANY_DELAY_NODE = """
require('http').createServer((q, r) => setTimeout(() => r.end('x'), +q.url.slice(1))).listen(process.argv[2])
"""


def calls_that_a_sweep_saw(at_the_end):
    """Answers after 0 to 400 ms: snapshots were made of some calls before, and take nothing away."""
    delays = range(0, 400, 10)
    with lib.Script(["node"], ANY_DELAY_NODE) as node, Tapline("--port", node.port) as t:
        connections = [lib.Connection(node.port) for _ in delays]
        began, took = {}, {}  # as the client sees it, by delay
        for c, delay in zip(connections, delays):
            began[delay] = time.monotonic()
            c.send(f"GET /{delay} HTTP/1.1\r\nHost: h\r\n\r\n")
        for c, delay in zip(connections, delays):
            c.response()
            took[delay] = time.monotonic() - began[delay]
        at_the_end(connections)
        rows = t.stop()
        for c in connections:
            c.s.close()
        equal(sorted(int(r["path"][1:]) for r in rows), list(delays), "a row each")
        for row in rows:
            delay = int(row["path"][1:])
            whole(row)
            for key in ("ttfb_us", "total_us"):
                at_least(row[key], delay * 1000 - 2000, f"{key} after {delay} ms")
                at_most(row[key], took[delay] * 1e6, f"{key} after {delay} ms, against the client's time")


def test_slow_calls_on_connections_that_stay_open():
    calls_that_a_sweep_saw(lambda connections: time.sleep(1))


def test_slow_calls_on_connections_that_stay_open_until_the_end():
    calls_that_a_sweep_saw(lambda connections: None)


def test_slow_calls_on_connections_that_close_at_the_end():
    calls_that_a_sweep_saw(lambda connections: [c.s.close() for c in connections])


ONE_AT_A_TIME = """
import http.server, sys, time
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.4)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'x')
    def log_message(self, *_):
        pass
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), H).serve_forever()
"""


def test_waiting_for_a_busy_server_is_queue():
    with lib.Script([lib.real_python()], ONE_AT_A_TIME) as server, Tapline("--port", server.port) as t:
        with lib.Curl(server.url("/first")) as first:
            time.sleep(0.1)
            curl(server.url("/second"))
            first.result()
        rows = t.stop()
        at_most(one(rows, path="/first")["server_queue_us"], 100_000, "queue of the first")
        queue = one(rows, path="/second")["server_queue_us"]
        assert 200_000 <= queue <= 450_000 * lib.SLOW, f"queue of the second: {queue}"
        for path in ("/first", "/second"):
            at_least(one(rows, path=path)["server_us"], 390_000, f"server_us of {path}")
            whole(one(rows, path=path))
