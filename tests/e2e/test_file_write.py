# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""requests -w: the packets of the calls that are shown, and no others, as Wireshark's tools read them.
What was on the wire is tcpdump's to say; whose it was, the programs that were started."""

import collections
import contextlib
import json
import os
import signal

import pcaps
from frames import START, Ends, conversation, ethernet, four, framed, six, together
from lib import TAPLINE, Netns, Nginx, Tapline, ab, at_least, at_most, curl, equal, program, run, same, temp_dir, wait_for
from test_file_requests import tcpdump
from test_http_bodies import BACKEND, READS_BODIES
from router import as_logged, through_router, wire
from wire import send_frames, silent_hosts

SITE = "location /no { return 503 'no\\n'; } location / { return 200 'hello\\n'; }"
PATHS = ["/a", "/no/1", "/b", "/no/2", "/no/3", "/c"]
FAILING = [p for p in PATHS if p.startswith("/no")]
WHERE = ["--where", "status>=500"]


class Written:
    """A file that -w wrote, as tshark reads it."""

    FIELDS = ["frame.time_epoch", "frame.len", "frame.cap_len", "frame.comment", "frame.interface_name", "tcp.srcport",
              "tcp.len", "tcp.seq_raw", "tcp.stream", "http.request.uri", "http.response.code", "vlan.id"]

    def __init__(self, path, port=80):
        said = pcaps.capinfos(path, "-t", "-E")
        assert "pcapng" in said, said
        self.packets = [dict(zip(self.FIELDS, values)) for values in pcaps.tshark(
            path, *self.FIELDS, more=["-d", f"tcp.port=={port},http"])]
        self.paths = self.column("http.request.uri")
        self.statuses = [int(v) for v in self.column("http.response.code")]
        self.comments = set(p["frame.comment"] for p in self.packets)
        self.payload = sum(self._spans().values())

    def _spans(self):
        """Bytes of each direction of each connection on each interface; what was sent again counts once."""
        pieces = collections.defaultdict(list)
        for p in self.packets:
            spans = pieces[p["frame.interface_name"], p["tcp.stream"], p["tcp.srcport"]]
            spans.append((int(p["tcp.seq_raw"]), int(p["tcp.len"])))
        sums = {}
        for key, spans in pieces.items():
            first, end = spans[0][0], -(1 << 31)
            sums[key] = 0
            for start, stop in sorted((pcaps.ahead(s, first), pcaps.ahead(s, first) + n) for s, n in spans):
                sums[key] += max(stop - max(start, end), 0)
                end = max(end, stop)
        return sums

    def column(self, name):
        return [p[name] for p in self.packets if p[name]]


def kept_calls(nginx, host, ns):
    """All paths on one connection: calls that are wanted and calls that are not, one after the other.
    curl's pid."""
    return curl(*[nginx.url(path, host) for path in PATHS], *["-o", os.devnull] * len(PATHS), ns=ns)["pid"]


def bytes_of(log, paths):
    return sum(e["request_length"] + e["bytes_sent"] for e in log if e["request_uri"] in paths)


# ---- live ----


def test_the_packets_of_failing_calls_on_a_router_and_on_the_hosts():
    with temp_dir() as folder, through_router() as (a, r, b, v4, _), Nginx(SITE, ns=b) as nginx:
        places = {"client": (a, "v0"), "router": (r, "v1"), "server": (b, "w0")}
        with contextlib.ExitStack() as stack:
            stack.enter_context(tcpdump(folder, r, dump=["-i", "v1", "--time-stamp-precision=nano"]))
            taps = {name: stack.enter_context(wire(link, args=["-w", f"{folder}/{name}", *WHERE], ns=ns))
                    for name, (ns, link) in places.items()}
            pid = kept_calls(nginx, v4, a)
            for tap in taps.values():
                tap.stop()
        log = nginx.log(len(PATHS))
        comments = {"client": f"client curl[{pid}]", "router": "", "server": f"server nginx[{nginx.workers[0]}]"}
        for name, tap in taps.items():
            written = Written(f"{folder}/{name}", nginx.port)
            equal((written.paths, written.statuses), (FAILING, [503] * 3), f"calls in the file of the {name}")
            equal(written.payload, bytes_of(log, FAILING), f"payload in the file of the {name}")
            equal(written.comments, {comments[name]}, f"comments of the {name}")
            equal(set(written.column("frame.interface_name")), {places[name][1]}, "interface")
            same([row["path"] for row in tap.rows], FAILING, "rows")
        on_the_wire(f"{folder}/router", f"{folder}/dump")


def packets_of(path):
    """Time and bytes of each packet; that this reader is right is what test_capture.py asks tshark."""
    rows = map(json.loads, run(program("capture"), "read", path).stdout.splitlines())
    return [(row["time_ns"], row["bytes"]) for row in rows]


def on_the_wire(written, dump):
    """Each packet in the file is one that tcpdump saw, to the byte, at nearly the same time."""
    seen = packets_of(dump)
    for ns, data in packets_of(written):
        times = [abs(t - ns) for t, d in seen if d.startswith(data)]
        assert times, f"a packet that was not on the wire: {data}"
        at_most(min(times), 50_000_000, "ns between the two programs' times")


def test_the_packets_of_failing_calls_at_the_sockets():
    """Without -i: each packet once, though both ends see it, and both owners on it."""
    with temp_dir() as folder, through_router() as (a, _, b, v4, _), Nginx(SITE, ns=b) as nginx:
        path = f"{folder}/calls"
        with Tapline("--port", nginx.port, "-w", path, *WHERE) as tap:
            pid = kept_calls(nginx, v4, a)
            tap.stop()
        written = Written(path, nginx.port)
        equal((written.paths, written.statuses), (FAILING, [503] * 3), "calls in the file")
        equal(written.payload, bytes_of(nginx.log(len(PATHS)), FAILING), "payload in the file")
        equal(written.comments, {f"client curl[{pid}], server nginx[{nginx.workers[0]}]"}, "comments")


def test_all_calls_without_a_filter_and_on_several_interfaces():
    with temp_dir() as folder, through_router() as (a, r, b, v4, v6), Nginx(SITE, ns=b) as nginx:
        path = f"{folder}/calls"
        with wire("v1", "w1", args=["-w", path], ns=r) as tap:
            kept_calls(nginx, v4, a)
            kept_calls(nginx, f"[{v6}]", a)
            equal(len(tap.stop()), 2 * len(PATHS), "rows")
        written = Written(path, nginx.port)
        once = collections.Counter(p["frame.interface_name"] for p in written.packets if int(p["tcp.len"]))
        equal(set(once), {"v1", "w1"}, "interfaces")
        equal(written.payload, 2 * bytes_of(nginx.log(2 * len(PATHS)), PATHS), "payload, of each interface")
        equal(pcaps.capinfos(path, "-M").count("Number of stat entries = 1"), 2, "interfaces with statistics")


def test_bodies_are_counted_in_whole_and_kept_in_part():
    """An upload that waits for 100 Continue, in two turns; and more bytes than there is room for."""
    with temp_dir() as folder, through_router() as (a, r, b, v4, _), \
            Nginx(READS_BODIES + "location /large { try_files /large =404; }", top=BACKEND, ns=b) as nginx:
        nginx.file("large", size=64 << 20)
        body = nginx.file("body", size=300_000)
        path = f"{folder}/bodies"
        with wire("v1", args=["-w", path], ns=r) as tap, Tapline("--port", nginx.port, "-w", path + "2") as sockets:
            for more in (["-H", "Expect: 100-continue", "-T", body, nginx.url("/put", v4)], [nginx.url("/large", v4)]):
                curl("-o", os.devnull, *more, ns=a)
            entries = nginx.log(2)
            as_logged(tap.stop(), entries)
            as_logged(sockets.stop(), entries)
        for name in (path, path + "2"):
            written = Written(name, nginx.port)
            equal(written.payload, sum(e["request_length"] + e["bytes_sent"] for e in entries), f"payload in {name}")
            at_most(max(int(p["frame.cap_len"]) for p in written.packets), 600, "bytes of a packet")


def test_no_rows_unless_they_are_asked_for():
    with temp_dir() as folder, Netns("a") as a, Nginx(SITE, ns=a) as nginx:
        with wire("lo", args=["-w", f"{folder}/f"], ns=a, json_rows=False) as tap:
            kept_calls(nginx, "127.0.0.1", a)
            tap.stop()
        equal(tap.text, "", "standard output")
        equal(Written(f"{folder}/f", nginx.port).paths, PATHS, "calls in the file")
        at_least(tap.ledger("rows"), len(PATHS), "rows in the ledger")


def test_vlan_tags_are_in_the_file_as_they_were_on_the_wire():
    """The kernel takes the outer one out of what it receives."""
    traffic = together(*(framed(conversation(Ends(40000 + i), [f"/{i}"]), kind)
                         for i, kind in enumerate(("ipv4", "vlan", "qinq", "vxlan, vlan"))))
    with temp_dir() as folder, silent_hosts() as (a, b):
        path = f"{folder}/tags"
        with wire("v1", args=["-w", path], ns=b) as tap:
            send_frames(a, [f for _, f in traffic.frames])
            tap.expect_rows(4)
            tap.stop()
        sent = [f.hex() for _, f in traffic.frames]
        strange = [data for _, data in packets_of(path) if not any(f.startswith(data) for f in sent)]
        equal(strange, [], "packets that were not sent")
        tags = {p["http.request.uri"]: p["vlan.id"] for p in Written(path).packets if p["http.request.uri"]}
        equal(tags, {"/0": "", "/1": "5", "/2": "6", "/3": "5"}, "tags of the requests")


# ---- from a file ----


def test_a_file_is_filtered_into_a_file():
    """To the byte, with their times; on every link type."""
    talk = conversation(Ends(40000), [f"/{i}" for i in range(6)], start=START)
    other = conversation(Ends(40001), ["/0", "/1"], start=START + 5000)
    with temp_dir() as folder:
        for link, frame in ((1, lambda s: ethernet(four(s), 0x800)), (1, lambda s: ethernet(six(s), 0x8100, 0x86DD)),
                            (101, four), (276, lambda s: bytes.fromhex("0800000000000001000100060000000000000000") + four(s)),
                            (0, lambda s: b"\2\0\0\0" + four(s))):
            segments = sorted(talk.segments + other.segments, key=lambda s: s.ns)
            packets = [(s.ns, frame(s)) for s in segments]
            source = pcaps.save(folder, "source", pcaps.pcapng(link, packets))
            path = f"{folder}/out"
            done = run(TAPLINE, "requests", "-r", source, "-w", path, "--where", "status==201", "-o", "json")
            equal(done.stdout.count("\n"), 2, "rows")
            written = packets_of(path)
            in_source = {(ns, f.hex()) for ns, f in packets}
            same([p for p in written if p not in in_source], [], "packets that are not in the source")
            data = {(s.ns, frame(s).hex()) for s in talk_calls(talk, 1) + talk_calls(other, 1)}
            got = {p for p in written if p in {(s.ns, frame(s).hex()) for s in segments if s.payload}}
            equal(got == data, True, f"packets with payload on link type {link}: {len(got)} of {len(data)}")
            equal(len(written), len(set(written)), "packets, none twice")


def talk_calls(talk, number):
    """The segments with payload of one call."""
    calls, asked = [], False
    for s in (s for s in talk.segments if s.payload):
        if s.client and not asked:
            calls.append([])
        asked = s.client
        calls[-1].append(s)
    return calls[number]


def many_calls(n):
    return together(*(framed(conversation(Ends(30000 + i), [f"/{i}/a", f"/{i}/b"], start=START + i * 10**7), "ipv4")
                      for i in range(n)))


def test_files_of_a_rotation():
    traffic = many_calls(700)
    with temp_dir() as folder:
        source = pcaps.save(folder, "source", pcaps.pcap(1, traffic.frames, nano=True))
        run(TAPLINE, "requests", "-r", source, "-w", f"{folder}/one")
        run(TAPLINE, "requests", "-r", source, "-w", f"{folder}/all", "-C", 1)
        run(TAPLINE, "requests", "-r", source, "-w", f"{folder}/two", "-C", 1, "-W", 2)
        names = sorted(n for n in os.listdir(folder) if n.startswith("all"))
        at_least(len(names), 3, "files")
        for name in names + ["two", "two.1"]:
            at_most(os.path.getsize(f"{folder}/{name}"), 1_000_000, f"bytes of {name}")
        assert not os.path.exists(f"{folder}/two.2")
        whole = packets_of(f"{folder}/one")
        parts = [packets_of(f"{folder}/{name}") for name in ["all"] + [f"all.{i}" for i in range(1, len(names))]]
        equal([p for part in parts for p in part] == whole, True, "packets of all files are those of one")
        kept = sorted(packets_of(f"{folder}/two") + packets_of(f"{folder}/two.1"))
        equal(kept == sorted(whole[-len(kept):]), True, "what is kept is the end")


def test_a_pipe_is_written_too():
    with temp_dir() as folder:
        source = pcaps.save(folder, "source", pcaps.pcap(1, many_calls(20).frames, nano=True))
        out = run("sh", "-c", '"$1" requests -r "$2" -w - 2>/dev/null | tshark -n -r - -T fields -e http.request.uri 2>/dev/null',
                  "sh", TAPLINE, source).stdout.split()
        equal(out, [f"/{i}/{x}" for i in range(20) for x in "ab"], "requests that tshark reads")


# ---- ends ----


def test_files_of_a_live_rotation_are_opened_without_privileges():
    with temp_dir() as folder, through_router() as (a, r, b, v4, _), Nginx(SITE, ns=b) as nginx:
        with wire("v1", args=["-w", f"{folder}/f", "-C", 1], ns=r, to_file=True) as tap:
            equal(ab(nginx.url("/", v4), 4000, ns=a), 4000, "ab's count")
            equal(len(tap.stop()), 4000, "rows")
        names = [n for n in os.listdir(folder)]
        at_least(len(names), 2, "files")
        equal(sum(len(Written(f"{folder}/{n}", nginx.port).paths) for n in names), 4000, "requests in the files")


def test_the_file_is_valid_at_any_time():
    """Looked at while calls go on, after Ctrl-C and after it was killed."""
    for how in (signal.SIGINT, signal.SIGKILL):
        with temp_dir() as folder, Netns("a") as a, Nginx(SITE, ns=a) as nginx:
            path = f"{folder}/f"
            with wire("lo", args=["-w", path], ns=a, json_rows=False) as tap:
                equal(pcaps.tshark(path, "frame.len"), [], "packets before the first call")
                for _ in range(2):
                    ab(nginx.url("/"), 300, ns=a)
                    wait_for(lambda: pcaps.tshark(path, "frame.len"), 10, "packets in the file")
                    assert "cut short" not in pcaps.capinfos(path), "a block that is not whole"
                if how == signal.SIGKILL:
                    tap.kill()
                else:
                    tap.stop()
            written = Written(path, nginx.port)
            at_least(len(written.paths), 1 if how == signal.SIGKILL else 600, "requests in the file")


def test_a_full_disk_ends_the_run_and_leaves_a_valid_file():
    script = 'mount -t tmpfs -o size=256k none "$1" && "$2" requests -r "$3" -w "$1/full"; echo $?; cp "$1/full" "$4"'
    with temp_dir() as folder, temp_dir() as disk:
        source = pcaps.save(folder, "source", pcaps.pcap(1, many_calls(300).frames, nano=True))
        done = run("unshare", "-m", "sh", "-c", script, "sh", disk, TAPLINE, source, f"{folder}/kept")
        equal(done.stdout, "1\n", "exit status")
        equal(len([line for line in done.stderr.splitlines() if "No space left" in line]), 1, f"sentences: {done.stderr}")
        written = packets_of(f"{folder}/kept")
        at_least(len(written), 100, "packets")
        whole = dict.fromkeys(packets_of(source))
        same([p for p in written if p not in whole], [], "packets that were not in the source")


def test_what_cannot_be_is_said_in_a_sentence():
    with temp_dir() as folder:
        for want, word, args in ((1, "no-such-folder", ("-w", f"{folder}/no-such-folder/f")), (1, folder, ("-w", folder)),
                                 (2, "-w", ("-C", "1")), (2, "--file-size", ("-w", f"{folder}/f", "-W", "2"))):
            done = run(TAPLINE, "requests", "-i", "lo", *args, check=False)
            equal((done.returncode, done.stdout, len(done.stderr.splitlines())), (want, "", 1), f"{args}: {done.stderr}")
            assert word in done.stderr, done.stderr
