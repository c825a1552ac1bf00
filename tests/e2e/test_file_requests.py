# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""requests -r: captures of tcpdump's, and files made by hand, compared with what tshark reads of them.
The same requests, statuses, sizes and times to the microsecond; damage is said once."""

import contextlib
import fcntl
import os
import re
import struct
import termios

import lib
import pcaps
from frames import KINDS, START, Ends, Talk, compare, conversation, ethernet, four, framed, iso, six, together
from lib import TAPLINE, Netns, Nginx, Proc, Tapline, ab, curl, equal, one, run, same, temp_dir, timeout, wait_for
from router import CLIENT, NOT_ON_THE_WIRE, SERVER, all_whole, as_logged, null, through_router, wire

# ---- what tshark says ----

FIELDS = ["tcp.stream", "frame.time_epoch", "tcp.srcport", "tcp.dstport", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst",
          "tcp.flags.syn", "tcp.seq_raw", "tcp.len", "http.request.method", "http.request.uri", "http.host",
          "http.response.code", "frame.protocols"]


class Stream:
    """One connection: its exchanges, by what tshark says of each segment with bytes that are new."""

    def __init__(self, frame):
        self.client = frame["tcp.srcport"] if frame["tcp.flags.syn"] != "0" else None
        self.syn = self.connect_us = None
        self.next = {}
        self.facts = []

    def take(self, f, server_port):
        ns, length = pcaps.nanoseconds(f["frame.time_epoch"]), int(f["tcp.len"])
        asks = f["tcp.dstport"] == str(server_port)
        if f["tcp.flags.syn"] != "0":
            if asks and self.syn is None:
                self.syn = ns
            elif not asks and self.connect_us is None and self.syn:
                self.connect_us = (ns - self.syn) // 1000
        end = int(f["tcp.seq_raw"]) + length
        fresh = pcaps.ahead(end, self.next.get(asks, int(f["tcp.seq_raw"])))
        if not length or fresh <= 0:
            return
        self.next[asks] = end
        (self.request if asks else self.response)(f, ns, fresh)

    def request(self, f, ns, fresh):
        if not self.facts or "first" in self.facts[-1]:
            kind = [p for p in f["frame.protocols"].split(":") if p in ("ip", "ipv6")][-1]
            ends = {"client": f[kind + ".src"], "server": f[kind + ".dst"], "client_port": int(f["tcp.srcport"]),
                    "server_port": int(f["tcp.dstport"])}
            self.facts.append({**ends, "time_ns": ns, "request_bytes": 0, "response_bytes": 0, "status": None,
                               "connect_us": None if self.facts else self.connect_us})
        call = self.facts[-1]
        call["request_bytes"] += fresh
        call["asked"] = ns
        if f["http.request.method"]:
            call.update(method=f["http.request.method"], path=f["http.request.uri"], host=f["http.host"] or None)

    def response(self, f, ns, fresh):
        call = self.facts[-1]
        call.setdefault("first", ns)
        call["response_bytes"] += fresh
        call["ttfb_us"] = (call["first"] - call["asked"]) // 1000
        call["total_us"] = (ns - call["time_ns"]) // 1000
        if f["http.response.code"]:
            call["status"] = int(f["http.response.code"])


def by_tshark(path, server_port):
    """The calls of a capture as facts. A tunnel's fields are there twice: the last one is the inner one."""
    streams = {}
    words = pcaps.tshark(path, *FIELDS, more=["-E", "occurrence=l", "-d", "udp.port==8472,vxlan", "-d",
                                              f"tcp.port=={server_port},http", "-Y", "tcp"])
    for values in words:
        f = dict(zip(FIELDS, values))
        streams.setdefault(f["tcp.stream"], Stream(f)).take(f, server_port)
    return [call for s in streams.values() for call in s.facts]


def requests(path, *args, status=0, **more):
    """Rows of requests -r, and what was said on standard error."""
    tap = Tapline("-r", path, *args)
    done = run(*tap.args, check=False, **more)
    equal(done.returncode, status, f"exit status: {done.stderr}")
    tap.out += done.stdout.encode()
    return tap.rows, done.stderr


def agree(path, server_port, n, *args):
    """n calls, the same by tshark and by tapline, to the microsecond."""
    facts = by_tshark(path, server_port)
    equal(len(facts), n, f"calls by tshark in {path}")
    rows, _ = requests(path, *args)
    compare(rows, facts, times=True)
    null(rows, *NOT_ON_THE_WIRE, *CLIENT, *SERVER, "side")
    return rows


# ---- captures by tcpdump ----


@contextlib.contextmanager
def tcpdump(folder, ns, **captures):
    """Captures, by name of file and arguments, until the block ends and nothing more comes."""
    paths = [f"{folder}/{name}" for name in captures]
    with contextlib.ExitStack() as stack:
        said = [stack.enter_context(open(path + ".said", "w+b")) for path in paths]
        dumps = [stack.enter_context(Proc("tcpdump", "-U", "-B", "16384", "-Z", "root", "-w", path, *args, "tcp", ns=ns, stderr=err))
                 for path, args, err in zip(paths, captures.values(), said)]

        def text(err):
            err.seek(0)
            return err.read()

        wait_for(lambda: all(b"listening on" in text(err) for err in said), 10, "tcpdump to listen")
        yield
        sizes = [[]]

        def settled():
            """tcpdump gets packets once a second."""
            run("sleep", "1.2")
            sizes.append([os.path.getsize(path) for path in paths])
            return sizes[-1] == sizes[-2]

        wait_for(settled, 30, "the last packets")
        for p, err in zip(dumps, said):
            p.stop()
            equal(re.findall(rb"(\d+) packets dropped by kernel", text(err)), [b"0"], "packets that tcpdump lost")


SITE = """
    location /large { try_files /large =404; }
    location /none { return 204; }
    location /no { return 503 'no\\n'; }
    location /put { client_max_body_size 8m; proxy_pass http://unix:@DIR@/back.sock:; }
    location / { return 200 'hello\\n'; }
"""
BACKEND = "server { listen unix:@DIR@/back.sock; access_log off; location / { return 200 'read\\n'; } }"


def site(ns):
    nginx = Nginx(SITE, top=BACKEND, ns=ns)
    nginx.file("large", content=b"l" * 700_000)
    return nginx


def visit(nginx, host, ns):
    """Calls of each kind on kept and on new connections; how many."""
    body = nginx.file("body", size=300_000)
    paths = ["/", "/no", "/none", "/large", "/?x=1&y=%20", "/absent"]
    curl(*[nginx.url(p, host) for p in paths], *["-o", os.devnull] * len(paths), ns=ns)
    for more in (["-I", nginx.url("/large", host)], ["-H", "Expect:", "-T", body, nginx.url("/put", host)],
                 ["-X", "DELETE", "-H", "X-Long: " + "x" * 150, nginx.url("/", host)]):
        curl("-o", os.devnull, *more, ns=ns)
    equal(ab(nginx.url("/kept", host), 200, connections=5, ns=ns), 200, "ab's count")
    return len(paths) + 3 + 200


CAPTURES = {
    "ethernet": ["-i", "v1"],
    "nanoseconds": ["-i", "v1", "--time-stamp-precision=nano"],
    "cooked": ["-i", "any", "-y", "LINUX_SLL"],
    "cooked2": ["-i", "any", "-y", "LINUX_SLL2", "--time-stamp-precision=nano"],
}


@timeout(180)
def test_captures_of_tcpdump():
    """On a router: on one interface, and on all, where each packet is in the file twice."""
    with temp_dir() as folder, through_router() as (a, r, b, v4, v6), site(b) as nginx:
        with tcpdump(folder, r, **CAPTURES):
            n = visit(nginx, v4, a) + visit(nginx, f"[{v6}]", a)
        log = nginx.log(n)
        for name in CAPTURES:
            rows = agree(f"{folder}/{name}", nginx.port, n)
            as_logged(rows, log)
            all_whole(rows)
        in_pipe = run("sh", "-c", 'cat "$1" | "$2" requests -o json -r -', "sh", f"{folder}/ethernet", TAPLINE).stdout
        equal(in_pipe, run(TAPLINE, "requests", "-o", "json", "-r", f"{folder}/ethernet").stdout, "rows from a pipe")
        converted(folder, nginx.port, n)


def converted(folder, port, n):
    """The same capture in what Wireshark's tools make of it."""
    for kind in ("pcap", "nsecpcap", "pcapng"):
        path = f"{folder}/{kind}"
        run("editcap", "-F", kind, f"{folder}/nanoseconds", path)
        agree(path, port, n)
    run("editcap", "-s", "600", f"{folder}/nanoseconds", f"{folder}/cut")
    equal(requests(f"{folder}/cut")[0], requests(f"{folder}/nanoseconds")[0], "rows of cut packets")
    run("mergecap", "-F", "pcapng", "-w", f"{folder}/merged", f"{folder}/cooked2", f"{folder}/nanoseconds")
    rows, _ = requests(f"{folder}/merged")
    equal(len(rows), n, "rows of two captures of the same packets in one file")


def test_loopback_is_in_a_capture_once():
    with temp_dir() as folder, Netns("a") as a, site(a) as nginx:
        with tcpdump(folder, a, lo=["-i", "lo"]):
            n = visit(nginx, "127.0.0.1", a) + visit(nginx, "[::1]", a)
        rows = agree(f"{folder}/lo", nginx.port, n)
        as_logged(rows, nginx.log(n))


TUN = """
import contextlib, ctypes, fcntl, os, selectors, struct, sys
pick = selectors.DefaultSelector()
fds = []
for ns in sys.argv[1:]:
    with open("/run/netns/" + ns) as f:
        assert not ctypes.CDLL(None).setns(f.fileno(), 0x40000000)
    fds.append(os.open("/dev/net/tun", os.O_RDWR))
    fcntl.ioctl(fds[-1], 0x400454ca, struct.pack("16sH22x", b"t0", 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
    pick.register(fds[-1], selectors.EVENT_READ)
print("made", flush=True)
while True:
    for key, _ in pick.select():
        with contextlib.suppress(OSError):  # the other one is not up yet
            os.write(fds[key.fd == fds[0]], os.read(key.fd, 65536))
"""


def test_a_link_without_headers():
    """Two tun devices and a program that carries packets between them: raw IP."""
    if not os.path.exists("/dev/net/tun"):
        raise lib.Skip("this kernel has no tun devices")
    with temp_dir() as folder, Netns("a") as a, Netns("b") as b, \
            Proc(lib.real_python(), "-c", TUN, a, b, stdout=-1, text=True) as carrier:
        equal(carrier.p.stdout.readline(), "made\n", "tun devices")
        for ns, n in ((a, 1), (b, 2)):
            run("ip", "-n", ns, "link", "set", "t0", "up")
            run("ip", "-n", ns, "addr", "add", f"10.213.7.{n}", "peer", f"10.213.7.{3 - n}", "dev", "t0")
        with site(b) as nginx:
            with tcpdump(folder, a, tun=["-i", "t0"]), wire("t0", ns=a) as client, wire("any", ns=b) as server:
                n = visit(nginx, "10.213.7.2", a)
            for tap, side in ((client, "client"), (server, "server")):
                as_logged(tap.stop(), nginx.log(n))
                equal({r["side"] for r in tap.rows}, {side}, "side")
            assert "Raw IP" in pcaps.capinfos(f"{folder}/tun", "-E"), pcaps.capinfos(f"{folder}/tun", "-E")
            as_logged(agree(f"{folder}/tun", nginx.port, n), nginx.log(n))


# ---- files made by hand ----


def every_kind():
    return together(*(framed(conversation(Ends(40000 + i), (f"/{i}/first", f"/{i}/second"), start=START + i), kind)
                      for i, kind in enumerate(KINDS)))


def test_every_kind_of_frame_is_what_tshark_reads():
    """The conversations are real ones to tshark too; in tunnels it sees the same calls."""
    with temp_dir() as folder:
        traffic = every_kind()
        path = pcaps.save(folder, "kinds", pcaps.pcapng(1, traffic.frames))
        facts = by_tshark(path, 80)
        compare([{**f, "time": iso(f["time_ns"]), "quality": []} for f in facts], traffic.facts, times=True)
        agree(path, 80, 2 * len(KINDS))


def test_every_byte_order_and_resolution():
    traffic = together(framed(conversation(Ends(40000)), "ipv4"), framed(conversation(Ends(40001)), "ipv6"))
    with temp_dir() as folder:
        for order in "<>":
            for nano in (False, True):
                path = pcaps.save(folder, f"{order}-{nano}.pcap", pcaps.pcap(1, traffic.frames, order, nano))
                rows = agree(path, 80, 4)
                equal(one(rows, path="/first", client_port=40000)["time"], iso(traffic.facts[0]["time_ns"]), "time")
            for resolution in (6, 9, 0x80 | 20, 0x80 | 30):
                path = pcaps.save(folder, f"{order}-{resolution}.pcapng", pcaps.pcapng(1, traffic.frames, order, resolution))
                agree(path, 80, 4)
            path = pcaps.save(folder, f"{order}-offset.pcapng", pcaps.pcapng(1, traffic.frames, order, 9, 1600000000))
            agree(path, 80, 4)


def test_every_link_type():
    """The packets of one conversation behind each kind of link header."""
    talk = conversation(Ends(40000))
    for version, packet, ether, family in ((4, four, 0x800, 2), (6, six, 0x86DD, 30)):
        ends = {"client": talk.ends.address(version, True), "server": talk.ends.address(version, False)}
        facts = [{**f, **ends} for f in talk.facts]
        heads = {1: bytes(12) + ether.to_bytes(2, "big"), 101: b"", 12: b"", 228 if version == 4 else 229: b"",
                 113: bytes([0, 0, 0, 1, 0, 6]) + bytes(8) + ether.to_bytes(2, "big"),
                 276: ether.to_bytes(2, "big") + bytes([0, 0, 0, 0, 0, 1, 0, 1, 0, 6]) + bytes(8),
                 0: family.to_bytes(4, "little"), 108: family.to_bytes(4, "big")}
        with temp_dir() as folder:
            for link, head in heads.items():
                frames = [(s.ns, head + packet(s)) for s in talk.segments]
                path = pcaps.save(folder, str(link), pcaps.pcap(link, frames, nano=True))
                rows, _ = requests(path)
                compare(rows, facts, times=True)
                if link not in (12, 228, 229):  # tshark 4.0 has no resolution of these
                    agree(path, 80, 2)


def test_packets_out_of_order_in_the_file():
    """Up to a second late: times decide, not places. More than that is said in the ledger."""
    traffic = together(*(framed(conversation(Ends(40000 + i), start=START + i * 10**7), "ipv4") for i in range(30)))
    mixed = [traffic.frames[i // 50 * 50 + i % 50 * 7 % 50] if i // 50 * 50 + 50 <= len(traffic.frames) else f
             for i, f in enumerate(traffic.frames)]
    assert mixed != traffic.frames and sorted(mixed) == sorted(traffic.frames)
    with temp_dir() as folder:
        rows, _ = requests(pcaps.save(folder, "mixed", pcaps.pcap(1, mixed, nano=True)))
        compare(rows, traffic.facts, times=True)


def test_several_sections_and_link_types():
    talks = [conversation(Ends(40000 + i), start=START + i * 10**9) for i in range(3)]
    ends = {"client": "192.0.2.1", "server": "198.51.100.2"}
    ethernets = [(s.ns, ethernet(four(s), 0x800)) for s in talks[0].segments]
    raws = [(s.ns, four(s)) for s in talks[1].segments]
    loops = [(s.ns, b"\2\0\0\0" + four(s)) for s in talks[2].segments]
    data = pcaps.pcapng(1, ethernets) + pcaps.pcapng(101, raws, ">", 6) + pcaps.pcapng(0, loops, "<", 0x80 | 30)
    with temp_dir() as folder:
        rows, _ = requests(pcaps.save(folder, "sections", data))
        compare(rows, [{**f, **ends} for t in talks for f in t.facts])


def test_more_connections_than_there_is_room_for():
    """All are open at the same time: nothing is lost, the oldest are shown early, and it is said how many."""
    n, room = 66000, 65536
    frames, facts, talks = [], [], [Talk(Ends(1024 + i % 60000, host=1 + i // 60000), step=1000) for i in range(n)]
    for path, some in (("/first", talks), ("/second", talks[-500:])):
        for talk in some:
            talk.ns, talk.segments = START + len(frames) * 1000, []
            talk.call(path, body=b"b")
            frames += [(s.ns, ethernet(four(s), 0x800)) for s in talk.segments[:2]]
            facts.append({**talk.facts[-1], "client": talk.ends.address(4, True)})
    with temp_dir() as folder:
        rows, said = requests(pcaps.save(folder, "many", pcaps.pcap(1, frames, nano=True)))
        same([r["path"] for r in rows], [f["path"] for f in facts], "paths")
        same([(r["client"], r["client_port"], r["status"], r["total_us"]) for r in rows],
             [(f["client"], f["client_port"], f["status"], f["total_us"]) for f in facts], "rows")
        equal(lib.ledger_number(said, "evicted_flows"), n - room, "connections shown early")


def test_a_pipe_is_read_as_it_grows():
    """Rows come while the other end is still open: when later packets are there, or for a second none."""
    first = framed(conversation(Ends(40000), start=START), "ipv4")
    later = framed(conversation(Ends(40001), start=START + 60 * 10**9), "ipv4")
    data = pcaps.pcap(1, first.frames + later.frames, nano=True)
    read, write = os.pipe()
    with Tapline("-r", "-", stdin=read) as tap:
        os.close(read)
        os.write(write, data[:-400])
        compare(tap.expect_rows(2), first.facts, times=True)
        os.write(write, data[-400:])
        compare(tap.expect_rows(4), first.facts + later.facts, times=True)
        equal(len(tap.stop()), 4, "rows after Ctrl-C")
        os.close(write)


def unread(pipe):
    """Bytes in a pipe."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]


def test_ctrl_c_shows_what_was_read_of_a_pipe():
    """What waits for its order included, and a call that is not over."""
    traffic = framed(conversation(Ends(40000), start=START), "ipv4")
    read, write = os.pipe()
    with Tapline("-r", "-", stdin=read) as tap:
        os.close(read)
        os.write(write, pcaps.pcap(1, traffic.frames[:-4], nano=True))
        wait_for(lambda: unread(write) == 0, 5, "tapline to read")
        rows = tap.stop()
        os.close(write)
    equal([(r["path"], r["status"]) for r in rows], [("/first", 200), ("/second", 201)], "rows")


# ---- options ----


def test_filters_and_options():
    traffic = together(*(framed(conversation(Ends(40000 + i, server_port=port), [f"/{i}/a", f"/{i}/b"]), "ipv4")
                         for i, port in enumerate((80, 8080, 22))))
    with temp_dir() as folder:
        path = pcaps.save(folder, "ports", pcaps.pcap(1, traffic.frames))
        of_port = {p: [f for f in traffic.facts if f["server_port"] == p] for p in (80, 8080, 22)}
        for args, want in (([], of_port[80] + of_port[8080]), (["--port", 22], of_port[22]), (["tcp port 22"], of_port[22]),
                           (["tcp", "port", "8080"], of_port[8080]), (["--port", 80], of_port[80]), (["udp"], []),
                           (["--net", "192.0.2.0/24", "--port", 80], of_port[80]), (["--net", "10.0.0.0/8"], [])):
            compare(requests(path, *args)[0], want)
        some = requests(path, "--where", "status==201")[0]
        equal(sorted(r["path"] for r in some), ["/0/b", "/1/b"], "--where")
        groups = requests(path, "--by", "status")[0]
        equal({g["status"]: g["calls"] for g in groups}, {200: 2, 201: 2}, "--by")
        heads = requests(path, "-H")[0]
        assert all(r["request_head"].startswith("GET /") and "HTTP/1.1 20" in r["response_head"] for r in heads), heads
        equal(list(requests(path, "--fields", "path,time", "-n", 1)[0][0]), ["path", "time"], "--fields and -n")
        assert "/0/a" in run(TAPLINE, "requests", "-r", path).stdout, "table"
        assert "/0/a" in run(TAPLINE, "requests", "-r", path, "-o", "csv").stdout, "csv"


def test_a_call_that_waits_at_the_end_of_the_file():
    """It is unanswered, and has waited until the last packet."""
    waits = conversation(Ends(40000), ["/waits"], start=START)
    waits.segments = waits.segments[:4]
    other = framed(conversation(Ends(40001), ["/other"], start=START + 5 * 10**9), "ipv4")
    traffic = together(framed(waits, "ipv4"), other)
    with temp_dir() as folder:
        rows, _ = requests(pcaps.save(folder, "waits", pcaps.pcap(1, traffic.frames, nano=True)))
        row = one(rows, path="/waits")
        equal((row["status"], row["quality"]), (None, ["unanswered"]), "row")
        equal(row["total_us"], (traffic.frames[-1][0] - waits.facts[0]["time_ns"]) // 1000, "time waited")


def test_without_privileges():
    with temp_dir() as folder:
        traffic = every_kind()
        path = pcaps.save(folder, "kinds", pcaps.pcapng(1, traffic.frames))
        os.chmod(folder, 0o755)
        os.chmod(path, 0o644)
        tap = Tapline("-r", path)
        done = run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all",
                   *tap.args)
        tap.out += done.stdout.encode()
        compare(tap.rows, traffic.facts)


# ---- damage ----

SENTENCE = re.compile(r"tapline: .*: byte \d+: .*\n")


def check_cut(path, whole_rows, data, cut):
    with open(path, "wb") as f:
        f.write(data[:cut])
    rows, said = requests(path, status=1)
    equal(len(SENTENCE.findall(said)), 1, f"sentences when cut at {cut}: {said}")
    for row in rows:
        known = [r for r in whole_rows if (r["client_port"], r["path"]) == (row["client_port"], row["path"])]
        equal(len(known), 1, f"a row that the whole file does not have, cut at {cut}: {row}")
        if row["status"] is not None and not row["quality"] and row["response_bytes"] == known[0]["response_bytes"]:
            equal(row, known[0], f"row when cut at {cut}")
    return rows


def test_files_cut_anywhere():
    """The rows up to the damage, one sentence that says where it is, exit status 1."""
    traffic = together(framed(conversation(Ends(40000), start=START), "ipv4"),
                       framed(conversation(Ends(40001), start=START + 1), "vxlan"))
    with temp_dir() as folder:
        for name, data in (("pcap", pcaps.pcap(1, traffic.frames, nano=True)),
                           ("pcapng", pcaps.pcapng(1, traffic.frames))):
            path = pcaps.save(folder, name, data)
            whole_rows, _ = requests(path)
            compare(whole_rows, traffic.facts, times=True)
            for cut in [1, 3, 10, 23, *range(25, len(data), len(data) // 23), len(data) - 1]:
                rows = check_cut(path, whole_rows, data, cut)
            equal(len(rows), 4, "rows when the last byte is missing")


def test_damage_in_the_middle():
    """A length that cannot be: what was before it is shown."""
    first = framed(conversation(Ends(40000), start=START), "ipv4")
    second = framed(conversation(Ends(40001), start=START + 10**12), "ipv4")
    with temp_dir() as folder:
        for make in (pcaps.pcap, pcaps.pcapng):
            before = len(make(1, first.frames))
            data = bytearray(make(1, first.frames + second.frames))
            data[before + 4:before + 16] = b"\xff" * 12
            rows, said = requests(pcaps.save(folder, "damaged", bytes(data)), status=1)
            equal(len(SENTENCE.findall(said)), 1, f"sentences: {said}")
            compare(rows, first.facts)


def test_what_is_no_capture_is_said_in_a_sentence():
    with temp_dir() as folder:
        for name, data in (("empty", b""), ("text", b"GET / HTTP/1.1\r\n\r\n" * 20), ("zeros", bytes(1000))):
            rows, said = requests(pcaps.save(folder, name, data), status=1)
            equal(rows, [], "rows")
            equal(len([line for line in said.splitlines() if name in line]), 1, f"sentences: {said}")
        rows, said = requests(pcaps.save(folder, "usb", pcaps.pcap(220, [(START, bytes(100))])), status=1)
        assert "220" in said, said
        status = {"absent": requests(folder + "/absent", status=1)[1], "folder": requests(folder, status=1)[1]}
        assert "absent" in status["absent"] and folder in status["folder"], status
    for args in (("-i", "lo", "-r", "x"), ("-r", "x", "-p", "1"), ("-r", "x", "--comm", "c"), ("-r", "x", "--in-flight")):
        done = run(TAPLINE, "requests", *args, check=False)
        equal((done.returncode, done.stdout, len(done.stderr.splitlines())), (2, "", 1), f"{args}: {done.stderr}")
