# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""An interface that goes away under a run, whatever the tool: the run ends and says so, with what it has seen until then.
One that is only down goes on being watched."""

from lib import Netns, Tapline, equal, run, wait_for
from wire import ethernet, ipv4, send_frames, udp

TOOLS = ("count", "packets", "requests")


def pair(ns, name="v0"):
    """An interface of that name, up, whose other end is in the same namespace."""
    run("ip", "-n", ns, "link", "add", name, "type", "veth", "peer", "name", name + "-end")
    for end in (name, name + "-end"):
        run("ip", "-n", ns, "link", "set", end, "up")


def watching(tool, ns, *args):
    return Tapline(*args, tool=tool, ns=ns)


def ends_for(t, name):
    equal(t.wait_end(), 1, "exit status")
    said = [line for line in t.ledger_text.splitlines() if line.startswith("tapline: ")]
    equal(len(said), 1, f"sentences: {t.ledger_text}")
    assert said[0].startswith(f"tapline: '{name}' is gone: "), said
    assert t.ledger_text.startswith("ledger\n") and t.ledger_text.splitlines()[-1] == said[0], t.ledger_text


def test_an_interface_that_is_removed_ends_the_run():
    for tool in TOOLS:
        with Netns("a") as a:
            pair(a)
            pair(a, "v1")
            with watching(tool, a, "-i", "v1", "-i", "v0") as t:
                run("ip", "-n", a, "link", "del", "v0")
                ends_for(t, "v0")


def test_an_interface_that_leaves_its_namespace_ends_the_run():
    with Netns("a") as a, Netns("b") as b:
        pair(a)
        with watching("packets", a, "-i", "v0") as t:
            run("ip", "-n", a, "link", "set", "v0", "netns", b)
            ends_for(t, "v0")


def test_what_came_before_is_shown():
    with Netns("a") as a:
        pair(a)
        with watching("count", a, "-i", "v0", "udp") as t:
            send_frames(a, [ethernet(ipv4(17, udp(9, b"x")), 0x800)] * 7)
            run("ip", "-n", a, "link", "set", "v0", "down")
            run("ip", "-n", a, "link", "del", "v0")
            ends_for(t, "v0")
        equal(t.ledger("packets"), 7, "packets")
        equal([r["packets"] for r in t.rows if r["protocol"] == "UDP"][-1], 7, "packets of the last block")


def test_an_interface_that_is_down_is_still_watched():
    for tool in TOOLS:
        with Netns("a") as a:
            pair(a)
            with watching(tool, a, "-i", "v0") as t:
                run("ip", "-n", a, "link", "set", "v0", "down")
                run("sleep", "0.8")
                equal(t.p.poll(), None, f"{tool} goes on")
                run("ip", "-n", a, "link", "set", "v0", "up")
                send_frames(a, [ethernet(ipv4(17, udp(9, b"again")), 0x800)])
                if tool == "packets":
                    wait_for(lambda: any(r["payload"] == "again" for r in t.rows), 5, "the packet")
                elif tool == "count":
                    wait_for(lambda: any(r["protocol"] == "UDP" and r["packets"] for r in t.rows), 5, "the packet")
                t.stop()


def test_all_interfaces_go_on_when_one_is_gone():
    for tool in TOOLS:
        with Netns("a") as a:
            pair(a)
            with watching(tool, a, "-i", "any") as t:
                run("ip", "-n", a, "link", "del", "v0")
                run("sleep", "0.8")
                t.stop()
