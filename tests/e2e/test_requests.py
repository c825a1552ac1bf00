# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What `requests` does with the rows: groups, user-side filters, heads, secrets, calls in flight.
Counts are exact: the test decides how many calls of each kind there are."""

import json
import os
import time

import lib
from lib import Nginx, Tapline, at_least, at_most, curl, equal, one

SERVER = """
    location /ok { return 200 'fine'; }
    location /api { return 200 'api'; }
    location /fails { return 503 'no'; }
    location /made { return 201; }
"""


def ask_often(nginx, counts):
    """So many calls of each path, on one keep-alive connection each."""
    for path, n in counts.items():
        with lib.Connection(nginx.port) as c:
            for _ in range(n):
                c.send(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")
                c.response()


def grouped(by, counts, *more):
    with Nginx(SERVER) as nginx, Tapline("--port", nginx.port, "--by", by, *more) as t:
        ask_often(nginx, counts)
        rows = t.stop()
        return rows, nginx.log(sum(counts.values())), nginx


def test_by_path_is_exact():
    rows, log, _ = grouped("path", {"/ok": 120, "/api/a?q=1": 20, "/api/a?q=2": 11, "/fails": 17})
    calls = {"/ok": 120, "/api/a": 31, "/fails": 17}  # a query is no part of the group's name
    equal({r["path"]: r["calls"] for r in rows}, calls, "calls")
    equal({r["path"]: r["errors"] for r in rows}, {"/ok": 0, "/api/a": 0, "/fails": 17}, "errors")
    for row in rows:
        mine = [e for e in log if e["request_uri"].partition("?")[0] == row["path"]]
        equal(row["request_bytes"], sum(e["request_length"] for e in mine), "request_bytes")
        equal(row["response_bytes"], sum(e["bytes_sent"] for e in mine), "response_bytes")
        assert 0 < row["p50_us"] <= row["p90_us"] <= row["p99_us"] <= row["max_us"] * 1.01, row


def test_by_two_fields():
    rows, _, nginx = grouped("status,server_comm", {"/ok": 5, "/made": 7, "/fails": 9, "/api": 1})
    equal({(r["status"], r["server_comm"]): r["calls"] for r in rows},
          {(200, "nginx"): 6, (201, "nginx"): 7, (503, "nginx"): 9}, "calls")


def test_by_names_of_the_ends():
    rows, _, nginx = grouped("client_comm,client_pid,server_port,side", {"/ok": 4})
    equal([(r["client_pid"], r["server_port"], r["side"], r["calls"]) for r in rows],
          [(os.getpid(), nginx.port, "both", 4)], "groups")


def test_path_depth_folds_ids():
    counts = {f"/api/users/{i}/orders?x={i}": 2 for i in range(20)}
    rows, _, _ = grouped("path", {**counts, "/ok": 3}, "--path-depth", 2)
    equal(sorted(r["calls"] for r in rows), [3, 40], "calls")
    folded = one(rows, calls=40)["path"]
    assert folded.startswith("/api/users") and "orders" not in folded and "x=" not in folded, folded
    equal(one(rows, calls=3)["path"], "/ok", "a path that is not deep")


def test_percentiles_are_within_their_bound():
    """Answers take 20 or 200 ms; the percentiles must be what the rows of the same run say."""
    source = """
        let n = 0
        require('http').createServer((q, r) =>
            setTimeout(() => r.end('x'), ++n % 10 ? 20 : 200)).listen(process.argv[2])"""
    with lib.Script(["node"], source) as node, Tapline("--port", node.port) as t, \
            Tapline("--port", node.port, "--by", "path") as g:
        with lib.Connection(node.port) as c:
            for _ in range(50):
                c.send("GET /two HTTP/1.1\r\nHost: h\r\n\r\n")
                c.response()
        times = sorted(r["total_us"] for r in t.stop())
        row = one(g.stop(), path="/two")
    equal(len(times), 50, "rows")
    for name, rank in (("p50_us", 25), ("p90_us", 45), ("p99_us", 50), ("max_us", 50)):
        got = row[name]
        near = times[max(rank - 2, 0):rank + 1]
        assert near[0] * 0.985 <= got <= near[-1] * 1.015, f"{name} is {got}, rows say {near}"


def where(*expressions):
    """Paths of the rows that the expressions let through."""
    with Nginx(SERVER) as nginx:
        more = [word for e in expressions for word in ("--where", e)]
        with Tapline("--port", nginx.port, *more) as t:
            for path in ("/ok/1", "/fails/1", "/api/1", "/made/1", "/fails/2", "/absent"):
                curl(nginx.url(path))
            rows = t.stop()
            at_least(t.ledger("records"), 6, "records: --where is decided on the user side")
            return [r["path"] for r in rows]


def test_where():
    equal(where("status>=500"), ["/fails/1", "/fails/2"], "status>=500")
    equal(where("status<500", "status!=200"), ["/made/1", "/absent"], "two conditions")
    equal(where("path~^/api/"), ["/api/1"], "a pattern")
    equal(where("path!~1$"), ["/fails/2", "/absent"], "not a pattern")
    equal(where("path~/1$", "status==200"), ["/ok/1", "/api/1"], "a pattern and a number")
    equal(where("client_comm==curl", "method==GET", "status==404"), ["/absent"], "names")
    equal(where("total_us>60000000"), [], "nothing")
    equal(where("path==/made/1"), ["/made/1"], "a word")


def test_where_before_by():
    rows, _, _ = grouped("path", {"/ok": 5, "/fails": 6}, "--where", "status>=500")
    equal([(r["path"], r["calls"]) for r in rows], [("/fails", 6)], "groups")


IN_QUERY = {"access_token": "sekrit-token", "key": "sekrit-key", "password": "sekrit-pass",
            "X-Amz-Signature": "sekrit-sign", "client_secret": "sekrit-secret"}
IN_HEAD = {"Authorization": "Bearer sekrit-bearer", "Cookie": "id=sekrit-cookie",
           "proxy-authorization": "Basic sekrit-proxy"}


def outputs_with_secrets(*options):
    """What each kind of output says of calls that are full of secrets: {options: text}."""
    server = "location / { add_header Set-Cookie 'id=sekrit-set; Path=/'; return 200 'x'; }"
    query = "/login?user=anna&" + "&".join(f"{k}={v}" for k, v in IN_QUERY.items()) + "&page=2"
    said = {}
    with Nginx(server) as nginx:
        for more in ("-o json", "-o csv", "-o table", "-H", "-H -o json", "--by path,request -o json",
                     "--fields path,request,host"):
            with Tapline("--port", nginx.port, *more.split(), *options, json_rows=False) as t:
                curl(nginx.url(query))
                with lib.Connection(nginx.port) as c:
                    c.send("GET /head HTTP/1.1\r\nHost: h\r\n"
                           + "".join(f"{k}: {v}\r\n" for k, v in IN_HEAD.items()) + "X-Shown: yes\r\n\r\n")
                    c.response()
                t.stop()
                said[more] = t.text + t.ledger_text
    return said


def test_secrets_are_masked():
    said = outputs_with_secrets()
    for more, text in said.items():
        assert "/login" in text and "/head" in text, f"{more}: rows are missing in {text!r}"
        assert "sekrit" not in text, f"{more}: a secret in {text}"
    path = json.loads(said["-o json"].splitlines()[0])["path"]
    assert path.startswith("/login?user=anna&access_token=") and path.endswith("&page=2"), path
    for more in ("-H", "-H -o json"):
        for word in ("Authorization", "Cookie", "proxy-authorization", "X-Shown: yes", "Set-Cookie"):
            assert word in said[more], f"{more}: the name {word} is not in {said[more]}"


def test_secrets_are_shown_when_asked_for():
    said = outputs_with_secrets("--show-secrets")
    for more in ("-o json", "-o csv", "-o table", "-H"):
        for secret in IN_QUERY.values():
            assert secret in said[more], f"{more}: {secret} is not in {said[more]}"
    for more in ("-H", "-H -o json"):
        for secret in (*IN_HEAD.values(), "sekrit-set"):
            assert secret in said[more], f"{more}: {secret} is not in {said[more]}"


def test_heads():
    with Nginx(SERVER) as nginx, Tapline("--port", nginx.port, "-H", json_rows=False) as t:
        curl(nginx.url("/ok"), "-H", "X-Asked: some value")
        t.stop()
        for line in ("GET /ok HTTP/1.1", "X-Asked: some value", "HTTP/1.1 200 OK", "Server: nginx"):
            assert line in t.text, f"no {line!r} in {t.text}"


def test_in_flight_oldest_first():
    node = """
        require('http').createServer((q, r) => setTimeout(() => r.end('x'), 3000)).listen(process.argv[2])"""
    with lib.Script(["node"], node) as server, Tapline("--port", server.port, "--in-flight") as t:
        with lib.Curl(server.url("/older")) as older:
            time.sleep(0.5)
            with lib.Curl(server.url("/newer")) as newer:
                t.expect_rows(1, 5, path="/newer")
                older.result()
                newer.result()
                at = len(t.rows)
                time.sleep(1.5)
                equal([r["path"] for r in t.rows[at + 2:]], [], "nothing is in flight any more")
        rows = t.stop()
        first = next(i for i, r in enumerate(rows) if r["path"] == "/newer")
        equal(rows[first - 1]["path"], "/older", "the older one is before the newer one")
        equal(rows[first]["client_pid"], newer.pid, "owner")
        equal(rows[first - 1]["server"], "127.0.0.1", "peer")


def test_any_other_protocol_gets_rows():
    source = """
        require('net').createServer(s => s.on('data', d => s.write('re: ' + d))).listen(process.argv[2])"""
    with lib.Script(["node"], source) as server, Tapline("--port", server.port) as t:
        with lib.Connection(server.port) as c:
            for i in range(3):
                c.send(f"ask-{i}\x01\n")
                c.read_until(b"\n")
        rows = t.stop()
        equal(len(rows), 3, "rows")
        for i, row in enumerate(rows):
            equal((row["protocol"], row["method"], row["path"]), ("tcp", None, None), "row")
            equal(row["status"], None, "status")
            equal((row["request_bytes"], row["response_bytes"]), (7, 11), "bytes")
            assert row["request"].startswith(f"ask-{i}") and "\x01" not in row["request"], row["request"]
            equal((row["client_pid"], row["server_pid"]), (os.getpid(), server.pid), "pids")


def test_tls_says_tls_and_the_name():
    with lib.temp_dir() as directory:
        lib.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=h",
                "-keyout", f"{directory}/key", "-out", f"{directory}/cert")
        port = lib.free_port()
        server = f"listen {port} ssl; ssl_certificate {directory}/cert; ssl_certificate_key {directory}/key;"
        server += "location / { return 200 'secret\\n'; }"
        with Nginx(server) as nginx, Tapline("--port", port) as t:
            curl("-k", "--resolve", f"shop.example:{port}:127.0.0.1", f"https://shop.example:{port}/hidden")
            rows = t.stop()
            at_least(len(rows), 1, "rows")
            equal({r["protocol"] for r in rows}, {"tls"}, "protocol")
            equal(rows[0]["host"], "shop.example", "SNI host name")
            equal({r["path"] for r in rows} | {r["status"] for r in rows}, {None}, "path and status")
            equal(rows[0]["server_pid"], nginx.workers[0], "server_pid")
