# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""count: packets and bytes, compared with what tcpdump captured of the same interface.
What a network never sends by itself (tags, fragments, cut headers) is made by hand."""

import contextlib

from counting import by_name, count, counted, labelled, last_block, ports, total
from lib import (TAPLINE, Netns, Nginx, at_least, curl, equal, one, run, select_rows, sysctl, timeout, two_hosts, veth,
                 wait_for)
from wire import Receiver, Tcpdump, ethernet, ipv4, ipv6, send_frames, send_udp, silence, silent_hosts, tcp


def compare_totals(dump, taps):
    packets = dump.settled()
    want = len(packets), sum(n for n, _ in packets)
    for kind, t in taps.items():
        equal(total(last_block(t)), want, f"packets and bytes by {kind}")
        equal((t.ledger("packets"), t.ledger("bytes"), t.ledger("no_room")), (*want, 0), f"ledger by {kind}")
    return packets


# ---- loopback ----


def test_loopback_equals_what_tcpdump_counted():
    with Netns("a") as a, Nginx(ns=a) as nginx, counted(a, "lo") as (dump, taps):
        run("ping", "-c5", "-i0.2", "127.0.0.1", ns=a)
        run("ping", "-c2", "-i0.2", "::1", ns=a)
        curl(nginx.url(), ns=a)
        send_udp(a)
        compare_totals(dump, taps)
        names = by_name(last_block(taps["protocol"]))
        equal(names, {"TCP": dump.count("tcp"), "UDP": 1, "ICMP": dump.count("icmp"), "ICMPv6": dump.count("icmp6")},
              "packets by protocol")
        at_least(names["ICMP"], 10, "of ping")
        equal(names["ICMPv6"], 4, "of ping, ::1")
        ports = {(r["protocol"], r["port"]): r["packets"] for r in last_block(taps["port"])}
        equal(ports["TCP", nginx.port], dump.count(f"tcp port {nginx.port}"), "packets of nginx's port")
        connection = one(last_block(taps["connection"]), server_port=nginx.port)
        equal(connection["packets"], ports["TCP", nginx.port], "packets of the connection")
        equal((connection["client"], connection["server"]), ("127.0.0.1", "127.0.0.1"), "its ends")


def test_one_packet_of_each_kind():
    for kind in ("icmp", "tcp", "udp"):
        with Netns("a") as a, Tcpdump("lo", a) as dump, count("-i", "lo", ns=a) as t:
            run("nping", "-c1", f"--{kind}", "127.0.0.1", ns=a)
            wait_for(lambda: len(dump.packets()) >= 2, 10, "the answer")
            dump.settled()
            names = by_name(last_block(t))
            equal(names, {w.upper(): dump.count(w) for w in ("tcp", "udp", "icmp")} | {"ICMPv6": 0}, f"nping --{kind}")


def test_quiet_protocols_have_rows():
    with Netns("a") as a, count("-i", "lo", ns=a) as t:
        equal(by_name(last_block(t)), {"TCP": 0, "UDP": 0, "ICMP": 0, "ICMPv6": 0}, "rows")


def test_direction():
    with two_hosts() as (a, _, v4, _):
        with count("-i", "v0", "--direction", "out", ns=a) as out, count("-i", "v0", "--direction", "in", ns=a) as into, \
                count("-i", "v0", ns=a) as both, count("-i", "lo", "--direction", "out", ns=a) as lo_out, \
                count("-i", "lo", "--direction", "in", ns=a) as lo_in, count("-i", "lo", ns=a) as lo:
            run("ping", "-c3", "-i0.2", v4, ns=a)
            run("ping", "-c1", "127.0.0.1", ns=a)
            got = [by_name(last_block(t))["ICMP"] for t in (out, into, both, lo_out, lo_in, lo)]
        equal(got, [3, 3, 6, 2, 2, 2], "ICMP: out, in, both; on lo")


def test_all_interfaces_and_some():
    with two_hosts() as (a, _, v4, _):
        sets = [(), ("-i", "v0"), ("-i", "lo"), ("-i", "lo", "-i", "v0"), ("-i", "lo", "-i", "lo"), ("-i", "any")]
        with contextlib.ExitStack() as stack:
            taps = [stack.enter_context(count(*s, ns=a)) for s in sets]
            run("ping", "-c2", "-i0.2", v4, ns=a)
            run("ping", "-c1", "127.0.0.1", ns=a)
            equal([by_name(last_block(t))["ICMP"] for t in taps], [6, 4, 2, 6, 2, 6], f"ICMP on {sets}")


# ---- frames made by hand ----


@timeout(300)
def test_a_hundred_thousand_packets_equal_tcpdumps():
    frames = labelled()
    times = 100000 // len(frames) + 1
    want = {}
    for name, _ in frames:
        want[name] = want.get(name, 0) + times
    for side in ("v1", "v0"):
        with silent_hosts() as (a, b), counted(b if side == "v1" else a, side) as (dump, taps):
            send_frames(a, [f for _, f in frames], times)
            wait_for(lambda: dump.seen(times * len(frames)), 60, "tcpdump to write")
            equal(len(compare_totals(dump, taps)), times * len(frames), "packets that tcpdump saw")
            equal(by_name(last_block(taps["protocol"])), want, f"packets by protocol on {side}")
            rows = last_block(taps["port"])
            assert {r["port"] for r in rows} <= {None, 80}, rows
            fragments = 2 * 3 * 3 + 2 * 2 * 3  # of TCP and UDP; IPv4 and IPv6; under 0 to 2 tags
            got = sum(r["packets"] for r in select_rows(rows, port=None) if r["protocol"] in ("TCP", "UDP"))
            equal(got, (fragments + 3 * 3) * times, "fragments and cut headers, without ports")


def test_headers_that_are_not_with_the_start_of_the_packet():
    """Of a frame of more than a page that a packet socket sends, the kernel keeps the Ethernet header apart
    from all that follows it."""
    with silent_hosts() as (a, b):
        for ns, link in ((a, "v0"), (b, "v1")):
            run("ip", "-n", ns, "link", "set", link, "mtu", "9000")
        with counted(b, "v1") as (dump, taps):
            send_frames(a, [ethernet(ipv4(17, ports() + bytes(8000)), 0x800),
                            ethernet(ipv6(6, tcp(80) + bytes(8000)), 0x86DD)], 20)
            wait_for(lambda: dump.seen(40), 10, "tcpdump to write")
            compare_totals(dump, taps)
    equal(by_name(last_block(taps["protocol"])), {"TCP": 20, "UDP": 20, "ICMP": 0, "ICMPv6": 0}, "by protocol")
    equal([(r["protocol"], r["port"], r["packets"]) for r in last_block(taps["port"])],
          [("TCP", 80, 20), ("UDP", 80, 20)], "by port")


def test_sizes():
    with silent_hosts() as (a, b), count("-i", "v1", "--by", "size", ns=b) as t:
        send_frames(a, [ethernet(bytes(n - 14), 0x88B5) for n in (60, 63, 64, 127, 128, 1514)])
        rows = last_block(t)
    equal([(r["from"], r["to"], r["packets"], r["bytes"]) for r in rows],
          [(32, 63, 2, 123), (64, 127, 2, 191), (128, 255, 1, 128), (1024, 2047, 1, 1514)], "rows")


def test_a_full_table_is_told():
    n = 70000
    frames = [ethernet(ipv4(17, ports(1 + i % 50000, 80), ends=bytes([10, 1, i // 50000, 1, 192, 0, 2, 2])), 0x800)
              for i in range(n)]
    with silent_hosts() as (a, b), count("-i", "v1", "--by", "connection", 60, ns=b) as t:
        send_frames(a, frames)
        packets, _ = total(last_block(t))
    equal(t.ledger("packets"), n, "packets")
    equal(packets + t.ledger("no_room"), n, "packets with and without a row")
    at_least(t.ledger("no_room"), n - 65536, "without a row")


# ---- by process ----


def test_packets_count_for_the_process_that_has_them():
    with silent_hosts() as (a, b), Nginx(ns=b) as nginx, Tcpdump("v1", b) as dump:
        with count("-i", "v1", "--by", "process", ns=b) as server, count("-i", "v0", "--by", "process", ns=a) as client, \
                count("-i", "v1", ns=b) as every:
            pid = curl(nginx.url("/", "10.213.7.2"), ns=a)["pid"]
            dump.settled()
            rows = last_block(server)
            want = dump.count("tcp")
            equal(one(rows, pid=nginx.workers[0])["packets"], want, "of nginx")
            equal(one(rows, pid=nginx.workers[0])["comm"], "nginx", "its name")
            equal(one(last_block(client), pid=pid)["packets"], want, "of curl")
            equal(total(rows), total(last_block(every)), "by process and by protocol")


def test_a_socket_that_only_receives_is_found():
    with two_hosts() as (a, b, v4, _):
        with Receiver(7001, ns=b) as older:
            with count("-i", "v1", "--by", "process", ns=b) as t:
                with Receiver(7002, ns=b) as newer:
                    for port, p in ((7001, older), (7002, newer)):
                        send_udp(a, v4, port)
                        p.wait()
                    rows = last_block(t)
                for p in (older, newer):
                    equal(one(rows, pid=p.pid)["packets"], 1, "datagrams")


def test_what_is_forwarded_is_no_ones():
    with Netns("a") as a, Netns("r") as r, Netns("b") as b:
        silence(a, r, b)
        veth(a, "10.213.8.2/24", r, "10.213.8.1/24", "v")
        veth(b, "10.213.9.2/24", r, "10.213.9.1/24", "w")
        run("ip", "-n", a, "route", "add", "default", "via", "10.213.8.1")
        run("ip", "-n", b, "route", "add", "default", "via", "10.213.9.1")
        sysctl("net.ipv4.ip_forward", 1, ns=r)
        # The router has sockets of the same ports itself.
        with Nginx(ns=b) as nginx, Nginx(ns=r, port=nginx.port), Receiver(7001, ns=r):
            with count("--by", "process", ns=r) as t, count(ns=r) as every:
                curl(nginx.url("/", "10.213.9.2"), ns=a)
                send_udp(a, "10.213.9.2", 7001)
                wait_for(lambda: any(x["packets"] for x in select_rows(every.rows, protocol="UDP")), 10, "the datagram")
                rows = last_block(t)
                equal([(x["pid"], x["comm"]) for x in rows], [(None, None)], "whose")
                at_least(rows[0]["packets"], 20, "packets on both interfaces")
                equal(total(rows), total(last_block(every)), "by process and by protocol")


# ---- the run ----


def test_interval_and_count_end_the_run():
    with Netns("a") as a, count("-i", "lo", 1, 2, ns=a) as t:
        run("ping", "-c1", "127.0.0.1", ns=a)
        equal(t.wait_end(15), 0, "exit status")
        equal(len({r["time"] for r in t.rows}), 2, "blocks")
        equal(select_rows(t.rows, protocol="ICMP")[-1]["packets"], 2, "running total")


def test_rows_are_running_counters_with_rates():
    with Netns("a") as a, count("-i", "lo", ns=a) as t:
        run("ping", "-c4", "-i0.2", "127.0.0.1", ns=a)
        t.expect_rows(1, protocol="ICMP", packets=8)
        seen = select_rows(t.stop(), protocol="ICMP")
        equal(list(seen[0]), "time protocol packets bytes packet_rate byte_rate".split(), "keys")
        packets = [r["packets"] for r in seen]
        equal(packets, sorted(packets), "totals only grow")
        at_least(max(r["packet_rate"] for r in seen), 1, "packets a second")


def test_a_block_has_so_many_of_the_rows_that_pass():
    with Netns("a") as a, count("-i", "lo", "-n", 1, "--where", "protocol==UDP", ns=a) as t:
        run("ping", "-c2", "-i0.2", "127.0.0.1", ns=a)
        send_udp(a)
        equal(by_name(last_block(t)), {"UDP": 1}, "TCP's row, which is before it, does not pass")


def test_filters_of_port_and_network():
    with two_hosts() as (a, _, v4, _), Nginx(ns=a) as nginx:
        with count("-i", "lo", "--port", nginx.port, "--by", "port", ns=a) as port, \
                count("--net", v4, ns=a) as net, count("--net", "192.0.2.0/24", ns=a) as none:
            curl(nginx.url(), ns=a)
            run("ping", "-c1", v4, ns=a)
            equal([(r["protocol"], r["port"]) for r in last_block(port)], [("TCP", nginx.port)], "by port")
            equal(by_name(last_block(net)), {"TCP": 0, "UDP": 0, "ICMP": 2, "ICMPv6": 0}, "of the network")
            equal(set(by_name(last_block(none)).values()), {0}, "of another")


EXPRESSIONS = ["tcp", "udp port 80", "icmp or icmp6", "vlan", "vlan and tcp port 80", "ip6 and not udp",
               "ip[6:2] & 0x1fff != 0", "ether proto 0x88b5", "host 192.0.2.1 and greater 50", "arp"]


@timeout(120)
def test_filters_pass_what_tcpdump_is_given():
    """The same expressions on the same interface, tags in the metadata and all."""
    frames = [f for _, f in labelled()]
    with silent_hosts() as (a, b), contextlib.ExitStack() as stack:
        every = stack.enter_context(Tcpdump("v1", b))
        pairs = [(e, stack.enter_context(Tcpdump("v1", b, e)), stack.enter_context(count("-i", "v1", *e.split(), ns=b)))
                 for e in EXPRESSIONS]
        send_frames(a, frames, 3)
        wait_for(lambda: every.seen(3 * len(frames)), 30, "tcpdump to write")
        for expression, dump, t in pairs:
            passed = dump.settled()
            assert 0 < len(passed) < 3 * len(frames), (expression, len(passed))
            equal(total(last_block(t)), (len(passed), sum(n for n, _ in passed)), expression)


def test_a_filter_on_all_interfaces():
    with Netns("a") as a, count("icmp", ns=a) as t:
        run("ping", "-c3", "-i0.2", "127.0.0.1", ns=a)
        send_udp(a)
        # Three and their answers, and that nobody listens for the datagram.
        equal(by_name(last_block(t)), {"TCP": 0, "UDP": 0, "ICMP": 7, "ICMPv6": 0}, "packets")


def test_a_filter_can_be_looked_at():
    text = run(TAPLINE, "count", "-i", "lo", "--dump-filter", "tcp port 80").stdout
    assert "ldh" in text and "ret" in text and len(text.splitlines()) > 20, text


def refused(*args):
    """(exit status, the one sentence on standard error)."""
    done = run(TAPLINE, "count", *args, check=False)
    equal(done.stdout, "", "standard output")
    if "filter: " not in done.stderr:  # which shows the place below
        equal(len(done.stderr.splitlines()), 1, f"lines on standard error: {done.stderr}")
    return done.returncode, done.stderr


def test_what_cannot_be_is_said_in_a_sentence():
    for want, word, args in ((1, "there is no interface 'no-such-if'; this network namespace has", ("-i", "no-such-if")),
                             (2, "interval", ("0",)), (2, "count", ("1", "0")), (2, "cannot be known", ("-p", "1")),
                             (2, "filter: ", ("1", "5", "tcp", "prot", "80")), (2, "--by", ("--by", "x")),
                             (2, "--dump-filter wants a filter", ("--dump-filter",))):
        status, said = refused(*args)
        assert status == want and word in said, (args, status, said)
