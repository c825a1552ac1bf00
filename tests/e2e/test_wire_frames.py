# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Conversations made frame by frame: every encapsulation, order and damage, live and from a file.
Rows must show what the frames were made of (frames.py), the same both ways."""

import random
import struct

import lib
import pcaps
from frames import (ACK, IPV4, IPV6, KINDS, RST, SYN, VLAN, Ends, Talk, Traffic, compare, conversation, ethernet, four,
                    framed, gre, ipv4, ipv6, over4, six, tcp, together, vxlan)
from lib import Tapline, at_least, equal, run, select_rows, temp_dir
from router import CLIENT, NOT_ON_THE_WIRE, SERVER, null, wire
from wire import send_frames, silent_hosts

_random = random.Random(7)
UDP, GRE = 17, 47
LAST = "/the-last-one"


def last():
    """A conversation that is sent behind the others: when its row is there, all have been looked at."""
    return framed(conversation(Ends(65000), [LAST]), "ipv4")


def live(frames, args=()):
    """The rows and the ledgers of each end of a veth pair over which frames went: out of v0, into v1."""
    rows, ledgers = [], []
    with silent_hosts() as (a, b), wire("v0", args=args, ns=a) as sent, wire("v1", args=args, ns=b) as received:
        send_frames(a, [*frames, *(f for _, f in last().frames)])
        for tap in (sent, received):
            tap.expect_rows(1, path=LAST)
            rows.append([r for r in tap.stop() if r["path"] != LAST])
            ledgers.append(tap)
    return rows, ledgers


def of_file(data, *args, status=0):
    """The rows of a capture file, and what was said on standard error."""
    with temp_dir() as folder:
        path = pcaps.save(folder, "made.pcap", data)
        tap = Tapline("-r", path, *args)
        done = run(*tap.args, check=False)
        equal((done.returncode, done.stderr if done.returncode != status else ""), (status, ""), "exit status")
        tap.out += done.stdout.encode()
        return tap.rows, done.stderr


def agree(traffic, quality=(), times=True, args=()):
    """Live, from pcap and from pcapng: the same rows, those of the facts."""
    for rows in live([f for _, f in traffic.frames], args)[0]:
        compare(rows, traffic.facts, quality=quality)
        null(rows, *NOT_ON_THE_WIRE, *CLIENT, *SERVER, "side")
    for data in (pcaps.pcap(1, traffic.frames, nano=True), pcaps.pcapng(1, traffic.frames)):
        rows, _ = of_file(data, *args)
        compare(rows, traffic.facts, quality=quality, times=times)
        null(rows, *NOT_ON_THE_WIRE, *CLIENT, *SERVER, "side")


# ---- encapsulations ----


def every_kind():
    """A conversation in each kind of frame, all at the same time."""
    return together(*(framed(conversation(Ends(40000 + i), (f"/{i}/first", f"/{i}/second"), start=10**18 + i), kind)
                      for i, kind in enumerate(KINDS)))


def test_every_kind_of_frame():
    agree(every_kind())


def test_tunnels_keep_networks_apart():
    """The same addresses, ports and sequence numbers in two VXLANs, two GRE keys and outside of them."""
    places = {
        "plain": lambda s: ethernet(four(s), IPV4),
        "vxlan 1": lambda s: ethernet(over4(s, vxlan(ethernet(four(s), IPV4), 1), UDP), IPV4),
        "vxlan 2": lambda s: ethernet(over4(s, vxlan(ethernet(four(s), IPV4), 2), UDP), IPV4),
        "key 1": lambda s: ethernet(over4(s, gre(four(s), IPV4, key=1), GRE), IPV4),
        "key 2": lambda s: ethernet(over4(s, gre(four(s), IPV4, key=2), GRE), IPV4),
    }
    parts = []
    for i, (name, frame) in enumerate(places.items()):
        talk = conversation(Ends(41000), [f"/{name.replace(' ', '-')}/{n}" for n in range(3)], start=10**18 + 1000 * i)
        ends = {"client": "192.0.2.1", "server": "198.51.100.2"}
        parts.append(Traffic([(s.ns, frame(s)) for s in talk.segments], [{**f, **ends} for f in talk.facts]))
    agree(together(*parts))


def test_a_packet_that_passes_several_interfaces_is_one():
    """A router's two interfaces in one capture: other link addresses, and a tag on one of them."""
    talk = conversation(Ends(41001))
    ends = {"client": "192.0.2.1", "server": "198.51.100.2"}
    frames = [f for s in talk.segments for f in (
        (s.ns, ethernet(four(s), IPV4)), (s.ns + 1000, ethernet(four(s), VLAN, IPV4, to="02000000000a")))]
    agree(Traffic(frames, [{**f, **ends} for f in talk.facts]), times=False)


def test_filters_see_tags_and_tunnels_as_libpcap_does():
    """Live a tag is in the packet's metadata, in a file in the frame: verdicts are those of libpcap."""
    kinds = {"/plain": "ipv4", "/tagged": "vlan", "/vxlan": "vxlan", "/gre": "gre"}
    traffic = together(*(framed(conversation(Ends(42000 + i), [path]), kind) for i, (path, kind) in enumerate(kinds.items())))
    frames = [f for _, f in traffic.frames]
    for expression, on_wire, in_file in (("vlan", {"/tagged"}, {"/tagged"}), ("vlan and tcp port 80", {"/tagged"}, {"/tagged"}),
                                         ("not vlan", set(kinds.keys()) - {"/tagged"}, set(kinds.keys()) - {"/tagged"}),
                                         ("udp port 4789", {"/vxlan"}, {"/vxlan"}), ("proto gre", {"/gre"}, {"/gre"}),
                                         ("tcp port 80", {"/plain", "/tagged"}, {"/plain"})):
        sent = [*frames, *[f for kind in ("vlan", "vxlan", "gre", "ipv4") for _, f in framed(
            conversation(Ends(65000), [LAST], start=2 * 10**18), kind).frames]]
        with silent_hosts() as (a, b), wire("v1", args=[expression], ns=b) as tap:
            send_frames(a, sent)
            tap.expect_rows(1, path=LAST)
            equal({r["path"] for r in tap.stop()} - {LAST}, on_wire, f"on the wire: {expression}")
        rows, _ = of_file(pcaps.pcap(1, traffic.frames), expression)
        equal({r["path"] for r in rows}, in_file, f"in a file: {expression}")


def test_ports_and_networks_are_those_inside_a_tunnel():
    parts = [framed(conversation(Ends(43000 + i, server_port=port, host=i + 1), [f"/{kind}/{port}".replace(" ", "")]), kind)
             for i, (kind, port) in enumerate((("vxlan", 80), ("gre", 8080), ("ipv4", 8080), ("gre, ipv6", 80)))]
    traffic = together(*parts)
    for args, want in ((["--port", 8080], parts[1].facts + parts[2].facts), (["--net", "192.0.2.2/32"], parts[1].facts),
                       (["--net", "2001:db8::/64"], parts[3].facts), (["--port", 4789], []), (["--net", "203.0.113.1"], [])):
        compare(of_file(pcaps.pcap(1, traffic.frames), *args)[0], want)
    for rows in live([f for _, f in traffic.frames], ["--port", 80])[0]:
        compare(rows, parts[0].facts + parts[3].facts)


# ---- order ----


def turns(talk, change):
    """Another list of segments: change() is asked for each run of data segments of one side."""
    out, run_of = [], []
    for s in [*talk.segments, None]:
        if run_of and (s is None or not s.payload or s.client != run_of[0].client):
            out += change(run_of)
            run_of = []
        if s is not None:
            (run_of if s.payload else out).append(s)
    return out


def retimed(segments):
    return [s.but(ns=10**18 + i * 10**6) for i, s in enumerate(segments)]


def long_talk(port, **more):
    """Requests and responses of several segments each."""
    talk = Talk(Ends(port), **more).open()
    for i in range(4):
        talk.call(f"/order/{port}/{i}", status=200 + i, method="POST", upload=b"u" * 3000, body=b"b" * 5000)
    return talk.close()


def with_segments(talk, segments):
    talk.segments = retimed(segments)
    return framed(talk, "ipv4")


def swapped(run_of):
    """Each second segment overtakes the one before."""
    out = list(run_of)
    for i in range(0, len(out) - 1, 2):
        out[i], out[i + 1] = out[i + 1], out[i]
    return out


def cut_anew(run_of):
    """Sent once in these segments and again, cut at other places: with new bytes behind old ones."""
    first, data = run_of[0], b"".join(s.payload for s in run_of)
    out = []
    for start in range(0, len(data), 500):
        begin = max(start - 211, 0)
        out.append(first.but(seq=(first.seq + begin) & 0xFFFFFFFF, payload=data[begin:start + 500]))
    return out


ORDERS = {
    "reversed": lambda run_of: run_of[::-1],
    "swapped": swapped,
    "twice": lambda run_of: [s for segment in run_of for s in (segment, segment)],
    "again at the end": lambda run_of: run_of + run_of[:2],
    "cut anew": cut_anew,
    "a hole filled late": lambda run_of: run_of[:1] + run_of[2:] + run_of[1:2],
    "a byte at a time": lambda run_of: [run_of[0].but(seq=(run_of[0].seq + i) & 0xFFFFFFFF, payload=bytes([byte])) for i, byte
                                        in enumerate(b"".join(s.payload for s in run_of)[:40])] + run_of,
}


def test_segments_in_any_order():
    parts = [with_segments(talk, turns(talk, change)) for talk, change in (
        (long_talk(44000 + i), change) for i, change in enumerate(ORDERS.values()))]
    agree(together(*parts), times=False)


def test_sequence_numbers_wrap_around():
    parts = []
    for i, (client, server) in enumerate(((0xFFFFFFFF, 0xFFFFFFF0), (0xFFFFF000, 0xFFFFE000), (0x7FFFFFFF, 0x80000000),
                                          (0xFFFFFFFE, 0), (0, 0xFFFFFFFF))):
        talk = long_talk(45000 + i, first=(client, server))
        parts.append(framed(talk, "ipv4"))
        mixed = long_talk(45100 + i, first=(client, server))
        parts.append(with_segments(mixed, turns(mixed, swapped)))
    agree(together(*parts), times=False)


def test_a_port_that_is_used_again():
    """Connections one after the other between the same ports, with other sequence numbers."""
    talks = [conversation(Ends(46000), [f"/again/{i}/{n}" for n in range(2)], first=(1000 + i * 77777777, 5 + i * 99999999),
                          start=10**18 + i * 10**8) for i in range(20)]
    agree(together(*(framed(t, "ipv4") for t in talks)))


def test_what_comes_late_is_no_connection():
    """Segments of a connection that has ended, sent again behind its last one."""
    talk = conversation(Ends(46001))
    talk.segments = retimed(talk.segments + [s for s in talk.segments if s.payload or not s.flags & SYN])
    agree(framed(talk, "ipv4"), times=False)


def test_what_is_sent_again_by_the_handshake_and_by_keep_alive():
    """The first SYN and SYN-ACK count; probes of an idle connection are no bytes."""
    talk = Talk(Ends(46002)).open()
    for again in (1, 0, 1):
        talk.segments.insert(again, talk.segments[again])
    for path in ("/probed/a", "/probed/b"):
        talk.call(path)
        for client in (True, False):
            talk.put(client, ACK)
            for payload in (b"", b"\0"):
                s = talk.segments[-1]
                talk.segments.append(s.but(seq=(talk.next[0 if client else 1] - 1) & 0xFFFFFFFF, payload=payload))
    talk.close()
    talk.segments = retimed(talk.segments)
    first = [s for s in talk.segments if s.flags & SYN]
    synack = next(s for s in first if not s.client)
    talk.facts[0]["connect_us"] = (synack.ns - first[0].ns) // 1000
    agree(framed(talk, "ipv4"), times=False)
    rows, _ = of_file(pcaps.pcap(1, framed(talk, "ipv4").frames, nano=True))
    equal([r["connect_us"] for r in rows], [talk.facts[0]["connect_us"], None], "connect_us")


def test_forged_resets_end_nothing():
    """A RST far away from what the connection is at, as somebody sends who guesses."""
    talk = Talk(Ends(46003)).open().call("/reset/a")
    for client in (True, False):
        talk.segments.append(talk.segments[-1].but(client=client, flags=RST, seq=0x50000000, ack=0, payload=b""))
    talk.call("/reset/b").close()
    talk.segments = retimed(talk.segments)
    agree(framed(talk, "ipv4"), times=False)


# ---- connections whose beginning was not seen ----


def test_older_connections_have_their_roles_by_content():
    """Both ports above the usual, and the server's the higher one: what the bytes say decides."""
    parts = []
    for i, cut in enumerate(("SYN", "SYN and the first request's head")):
        talk = conversation(Ends(47000 + i, server_port=48000), ["/midway/a", "/midway/b", "/midway/c"])
        skip = 3 if cut == "SYN" else 4
        talk.segments = talk.segments[skip:]
        part = framed(talk, "ipv4")
        parts.append(part)
    for rows in (*live([f for _, f in together(*parts).frames])[0],
                 of_file(pcaps.pcap(1, together(*parts).frames, nano=True))[0]):
        equal({(r["server_port"], r["server"]) for r in rows}, {(48000, "198.51.100.2")}, "servers")
        compare([r for r in rows if r["path"] in ("/midway/b", "/midway/c")],
                [f for p in parts for f in p.facts if f["path"] != "/midway/a"])
        whole_or_midway = [r for r in rows if r["client_port"] == 47000 and r["path"] == "/midway/a"]
        equal(len(whole_or_midway), 1, "rows of the first call that was seen in whole")
        assert set(whole_or_midway[0]["quality"]) <= {"midway"}, whole_or_midway
        equal(whole_or_midway[0]["response_bytes"], parts[0].facts[0]["response_bytes"], "response_bytes")
        rest = [r for r in rows if r["client_port"] == 47001 and r["path"] not in ("/midway/b", "/midway/c")]
        assert len(rest) <= 1 and all("midway" in r["quality"] and r["method"] is None for r in rest), rest
        null(rows, "connect_us")


def test_older_connections_of_another_protocol_have_the_lower_port_as_server():
    talk = Talk(Ends(50000, server_port=6379)).open()
    for _ in range(3):
        talk.data(True, b"*1\r\n$4\r\nPING\r\n")
        talk.data(False, b"+PONG\r\n")
    talk.close()
    talk.segments = talk.segments[3:]
    frames = framed(talk, "ipv4").frames
    for rows in (*live([f for _, f in frames])[0], of_file(pcaps.pcap(1, frames))[0]):
        equal([(r["server_port"], r["client_port"], r["protocol"], r["request_bytes"], r["response_bytes"]) for r in rows],
              [(6379, 50000, "tcp", 14, 7)] * 3, "rows")


# ---- ends ----


def test_reset_unanswered_and_open_ends():
    reset = Talk(Ends(51000)).open()
    reset.data(True, b"GET /reset HTTP/1.1\r\nHost: h\r\n\r\n")
    reset.put(False, RST | ACK)
    half = Talk(Ends(51001)).open()
    half.data(True, b"GET /half HTTP/1.1\r\nHost: h\r\n\r\n")
    half.data(False, b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"h" * 100)
    half.put(False, RST)
    unanswered = Talk(Ends(51002)).open()
    unanswered.data(True, b"GET /unanswered HTTP/1.1\r\nHost: h\r\n\r\n")
    unanswered.close()
    still_open = Talk(Ends(51003)).open().call("/open")
    frames = together(*(framed(t, "ipv4") for t in (reset, half, unanswered, still_open))).frames
    for rows in (*live([f for _, f in frames])[0], of_file(pcaps.pcap(1, frames))[0]):
        equal({r["path"]: (r["status"], r["quality"]) for r in rows}, {
            "/reset": (None, ["unanswered", "reset"]), "/half": (200, ["reset"]), "/unanswered": (None, ["unanswered"]),
            "/open": (200, [])}, "status and quality")
        equal(len(rows), 4, "rows")


# ---- what is not followed ----


def fragments_of(s, size=256):
    """The segment in IPv4 fragments."""
    data, ends = tcp(s), (s.ends.address(4, s.client), s.ends.address(4, not s.client))
    pieces = range(0, len(data), size)
    return [ethernet(ipv4(data[i:i + size], *ends, fragment=i // 8 | (0x2000 if i + size < len(data) else 0)), IPV4)
            for i in pieces]


def fragments6_of(s, size=256):
    data, ends = tcp(s), (s.ends.address(6, s.client), s.ends.address(6, not s.client))
    heads = [struct.pack("!BBHI", 6, 0, i | (i + size < len(data)), 9) for i in range(0, len(data), size)]
    return [ethernet(ipv6(head + data[i * size:(i + 1) * size], *ends, following=44), IPV6) for i, head in enumerate(heads)]


def test_fragments_are_counted_and_not_followed():
    cut, cut6, whole_one = conversation(Ends(52000)), conversation(Ends(52001)), framed(conversation(Ends(52002)), "ipv4")
    frames, count = [], 0
    for talk, make, plain in ((cut, fragments_of, four), (cut6, fragments6_of, six)):
        for s in talk.segments:
            pieces = make(s) if len(s.payload) > 256 else [ethernet(plain(s), IPV4 if plain is four else IPV6)]
            count += len(pieces) if len(pieces) > 1 else 0
            frames += [(s.ns, f) for f in pieces]
    at_least(count, 20, "fragments")
    frames = frames + whole_one.frames
    taken, taps = live([f for _, f in frames])
    rows, said = of_file(pcaps.pcap(1, frames))
    for got, ledger in [*zip(taken, (t.ledger_text for t in taps)), (rows, said)]:
        equal(lib.ledger_number(ledger, "fragments"), count, "fragments in the ledger")
        compare(select_rows(got, client_port=52002), whole_one.facts)


def test_a_head_that_the_capture_cut():
    """A small snaplen: sizes are those of the packets, and a head that is not all there says so."""
    traffic = framed(conversation(Ends(53000)), "ipv4")
    for snaplen, quality in ((2000, []), (54 + 40, ["head_cut"]), (54, None)):
        packets = [(ns, f[:snaplen], len(f)) for ns, f in traffic.frames]
        for data in (pcaps.pcap(1, packets, nano=True), pcaps.pcapng(1, packets)):
            rows, _ = of_file(data)
            equal([(r["request_bytes"], r["response_bytes"], r["total_us"]) for r in rows],
                  [(f["request_bytes"], f["response_bytes"], f["total_us"]) for f in traffic.facts], f"sizes at {snaplen}")
            if quality is None:
                equal({(r["method"], bool(r["quality"])) for r in rows}, {(None, True)}, "nothing of the heads")
                continue
            equal([(r["path"], r["status"]) for r in rows], [(f["path"], f["status"]) for f in traffic.facts], "heads")
            equal([r["quality"] for r in rows], [quality] * 2, "quality")


# ---- hostile ----


def check_text(rows):
    for row in rows:
        equal(list(row), lib.KEYS, "JSON keys")


def test_frames_cut_at_every_length():
    """Of each kind, the first request's and response's frames cut everywhere; what is whole stays right."""
    good = framed(conversation(Ends(54000), start=10**18), "ipv4")
    cut = []
    for i, kind in enumerate(KINDS):
        talk = conversation(Ends(54001 + i), start=10**18)
        frame = KINDS[kind][1]
        for s in (talk.segments[0], talk.segments[3], talk.segments[4]):
            whole_frame = frame(s.but(payload=s.payload[:30]))
            cut += [whole_frame[:n] for n in range(len(whole_frame))]
    packets = [(10**18, f, 1500) for f in cut] + good.frames
    for data in (pcaps.pcap(1, packets), pcaps.pcapng(1, packets, ">")):
        rows, _ = of_file(data)
        check_text(rows)
        compare(select_rows(rows, client_port=54000), good.facts)
    for rows in live([f for f in cut if len(f) >= 14] + [f for _, f in good.frames])[0]:
        check_text(rows)
        compare(select_rows(rows, client_port=54000), good.facts)


def mutated(n):
    """Frames of conversations with bytes, lengths and order changed at random."""
    base = [f for _, f in every_kind().frames]
    for _ in range(n):
        f = bytearray(_random.choice(base))
        for _ in range(_random.randrange(1, 6)):
            at = _random.choice((_random.randrange(len(f)), _random.randrange(min(len(f), 90))))
            f[at] = _random.choice((0, 0xFF, _random.randrange(256), f[at] ^ 1 << _random.randrange(8)))
        yield bytes(f[:_random.randrange(14, len(f) + 1)] if _random.randrange(4) == 0 else f)


def test_random_frames():
    frames = [*mutated(15000), *(_random.randbytes(_random.randrange(14, 200)) for _ in range(3000)),
              *(bytes(12) + struct.pack("!H", kind) + _random.randbytes(_random.randrange(0, 200))
                for kind in (IPV4, IPV6, VLAN) for _ in range(1000))]
    for rows in live(frames, args=["-H"])[0]:
        at_least(len(rows), 1, "rows")
    packets = [(10**18 + i * 1000, f) for i, f in enumerate(frames)]
    for link in (1, 101, 113, 276, 0, 12, 108):
        of_file(pcaps.pcap(link, packets), "-H")
