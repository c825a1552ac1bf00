# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A network namespace that goes away under a run, with its interfaces: what was before is shown, the run says what is gone
or goes on, and what is elsewhere is still seen. Interfaces alone: tests/e2e/test_wire_gone.py."""

import os

from left import nothing_left, ours
from lib import Netns, Nginx, Tapline, curl, equal, run, two_hosts, wait_for

TOOLS = ("requests", "count", "packets")


def watching(tool, ns, *args):
    return Tapline(*args, tool=tool, ns=ns)


def test_a_namespace_that_is_removed():
    """The sockets' tap sees every namespace: calls of one that is gone are whole, and the run goes on."""
    with Nginx() as here, nothing_left(ours()), Tapline() as t:
        with two_hosts() as (a, b, address, _), Nginx(ns=b) as there:
            for i in range(20):
                curl(f"http://{address}:{there.port}/gone/{i}", ns=a)
            t.expect_rows(20, server_port=there.port)
            there.stop()
        wait_for(lambda: not os.path.exists(f"/run/netns/{b}"), 5, "the namespace to go")
        curl(here.url("/here"))
        t.expect_rows(1, server_port=here.port)
        rows = t.stop()
    gone = [r for r in rows if r["server_port"] == there.port]
    equal(sorted(r["path"] for r in gone), sorted(f"/gone/{i}" for i in range(20)), "calls before")
    equal({(r["status"], str(r["quality"]), r["server_comm"], r["client_comm"]) for r in gone},
          {(200, "[]", "nginx", "curl")}, "what is known of them")
    equal(t.ledger("lost_ring"), 0, "lost records")


def test_the_namespace_of_a_tapped_interface_is_removed():
    """tapline itself keeps the namespace it was started in, so its interface stays until the run ends, and then both go."""
    for tool in TOOLS:
        with nothing_left(ours("-i", "lo", tool=tool)), Netns("a") as a, Netns("b") as b:
            run("ip", "-n", a, "link", "add", "v0", "type", "veth", "peer", "name", "v1", "netns", b)
            for ns, link in ((a, "v0"), (b, "v1")):
                run("ip", "-n", ns, "link", "set", link, "up")
            with watching(tool, a, "-i", "v0") as t:
                run("ip", "netns", "del", a)
                equal(t.p.poll(), None, f"{tool} goes on")
                run("ip", "-n", b, "link", "show", "v1")  # its other end is there too
                run("ip", "netns", "del", b)  # and takes the interface with it
                equal(t.wait_end(), 1, f"exit status of {tool}")
            assert "tapline: 'v0' is gone: " in t.ledger_text, t.ledger_text
