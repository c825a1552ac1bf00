# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Counting at saturation: as many rows as nginx has log lines, and none of them doubled.
wrk, ab and h2load say how many they asked; a lost call anywhere shows as a difference."""

import collections

import lib
from lib import Nginx, Tapline, at_least, equal

KILOBYTE = "location / { return 200 '%s'; }" % ("x" * 1024)


def load(generate, nginx_more=None):
    """Rows and log lines of a run of generate(nginx), with what it counted."""
    with Nginx(KILOBYTE, **{"workers": 2, "buffered": True, **(nginx_more or {})}) as nginx:
        with Tapline("--port", nginx.port, to_file=True) as t:
            count = generate(nginx)
            rows = t.stop(seconds=60)
        nginx.stop()
        print(t.ledger_text)
        return rows, nginx.log(), count


def check(rows, log, count, wrk=False):
    print("quality", dict(collections.Counter(q for r in rows for q in r["quality"])))
    equal(len(rows), len(log), "rows against nginx's log lines")
    unmarked = [r for r in rows if not r["quality"]]
    if wrk:
        at_least(len(unmarked), count, "unmarked rows against wrk's count")
    else:
        equal(len(log), count, "nginx's log lines against the generator's count")
        equal(len(unmarked), count, "unmarked rows")
    key = collections.Counter((e["remote_port"], e["pid"], e["bytes_sent"]) for e in log)
    got = collections.Counter((r["client_port"], r["server_pid"], r["response_bytes"]) for r in rows)
    different = (key - got) + (got - key)
    if wrk:  # what was in flight at wrk's end was logged with what nginx had sent
        assert sum(different.values()) <= 2 * (len(rows) - len(unmarked)), dict(different)
    else:
        equal(dict(different), {}, "rows and log lines that have no partner")
    equal({(r["side"], r["status"]) for r in unmarked}, {("both", 200)}, "sides and statuses")


@lib.alone
def test_keep_alive_saturation_by_wrk():
    check(*load(lambda n: lib.wrk(n.url("/"), seconds=3, connections=50)[0]), wrk=True)


@lib.alone
def test_10000_keep_alive_by_ab():
    check(*load(lambda n: lib.ab(n.url("/"), 10000)))


@lib.alone
def test_10000_by_h2load():
    check(*load(lambda n: lib.h2load(n.url("/"), 10000)))


@lib.alone
def test_60000_connections_by_ab():
    check(*load(lambda n: lib.ab(n.url("/"), 60000, connections=50, keepalive=False)))


@lib.alone
def test_saturation_with_reuseport():
    rows, log, count = load(lambda n: lib.ab(n.url("/"), 10000, connections=64),
                            {"workers": 4, "listen": "reuseport"})
    check(rows, log, count)
    at_least(len({r["server_pid"] for r in rows}), 2, "workers that answered")


@lib.alone
def test_aggregate_at_saturation():
    """--by counts each call once, whatever the rate."""
    with Nginx(KILOBYTE, workers=2, buffered=True) as nginx:
        with Tapline("--port", nginx.port, "--by", "path,status") as t:
            n = sum(lib.ab(nginx.url(p), 8000) for p in ("/a", "/b"))
            rows = t.stop()
        equal(n, 16000, "ab's count")
        for path in ("/a", "/b"):
            equal(lib.one(rows, path=path, status=200)["calls"], 8000, f"calls of {path}")
