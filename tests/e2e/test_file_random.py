# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""requests -r on conversations made at random: every kind of message, segments of any size, some of them
twice, late or not in the capture. A row without a mark is right, whatever happened. Seeds are fixed."""

import collections
import random

import pcaps
from frames import ACK, COMPARED, START, Ends, Talk, Traffic, ethernet, four, together
from lib import Tapline, equal, run, temp_dir

CONVERSATIONS = 400


def message(r, path):
    """(request, response, facts) of some kind."""
    kind = r.choice("get get get head 204 304 chunked post post delete".split())
    method = {"head": "HEAD", "post": "POST", "delete": "DELETE"}.get(kind, "GET")
    upload = b"u" * r.choice([0, 1, 100, 1500, 5000]) if kind == "post" else b""
    status = {"204": 204, "304": 304}.get(kind) or r.choice([200, 201, 404, 503])
    size = r.choice([0, 1, 80, 600, 3000, 9000])
    request = f"{method} {path} HTTP/1.1\r\nHost: made.test\r\n"
    request += f"X-Pad: {'p' * r.choice([0, 50, 150])}\r\n" if r.randrange(3) == 0 else ""
    request += f"Content-Length: {len(upload)}\r\n" if kind == "post" else ""
    head, body = f"HTTP/1.1 {status} X\r\n", b""
    if kind == "chunked":
        head += "Transfer-Encoding: chunked\r\n"
        chunks = [r.choice([1, 5, 100, 700]) for _ in range(r.randrange(1, 6))]
        body = b"".join(b"%x\r\n" % n + b"c" * n + b"\r\n" for n in chunks) + b"0\r\n\r\n"
    elif status not in (204, 304):
        head += f"Content-Length: {size}\r\n"
        body = b"b" * size if kind != "head" else b""
    request, response = (request + "\r\n").encode() + upload, (head + "\r\n").encode() + body
    return request, response, {"method": method, "path": path, "host": "made.test", "status": status,
                               "request_bytes": len(request), "response_bytes": len(response)}


def talk(r, port, pipelined):
    """A conversation to its end, and its facts."""
    t = Talk(Ends(port), first=(r.randrange(1 << 32), r.randrange(1 << 32)), mss=r.choice([50, 536, 1400, 1400, 9000]),
             start=START + port * 10**8, step=r.choice([1000, 137000, 3000000])).open()
    ends = {"client": "192.0.2.1", "client_port": port, "server": "198.51.100.2", "server_port": 80}
    for turn in range(r.randrange(1, 6)):
        several = r.choice([1, 1, 4]) if pipelined else 1
        messages = [message(r, f"/{port}/{turn}/{i}") for i in range(several)]
        t.data(True, b"".join(q for q, _, _ in messages))
        t.data(False, b"".join(a for _, a, _ in messages))
        if r.randrange(2):
            t.put(True, ACK)
        t.facts += [{**f, **ends} for _, _, f in messages]
    return t.close()


def disturbed(r, segments, lost, twice, late):
    """In which order a capture has them; the ends of the connection are always there."""
    out = []
    for i, s in enumerate(segments):
        if r.random() < lost and i < len(segments) - 3:
            continue
        out += [s, s] if r.random() < twice else [s]
    for i in range(len(out) - 1):
        if r.random() < late and out[i].client == out[i + 1].client:
            out[i], out[i + 1] = out[i + 1], out[i]
    return out


def rows_of(path, *args):
    tap = Tapline("-r", path, *args)
    tap.out += run(*tap.args).stdout.encode()
    return tap.rows


def random_file(seed, pipelined, *disturbances):
    """All rows of a file of conversations, and the facts of all their calls."""
    r = random.Random(seed)
    frames, facts = [], []
    for i in range(CONVERSATIONS):
        t = talk(r, 30000 + i, pipelined)
        segments = disturbed(r, t.segments, *disturbances)
        frames += [(t.segments[0].ns + j * t.step, ethernet(four(s), 0x800)) for j, s in enumerate(segments)]
        facts += t.facts
    frames.sort(key=lambda f: f[0])
    with temp_dir() as folder:
        return rows_of(pcaps.save(folder, "random", pcaps.pcap(1, frames, nano=True))), facts


def check(rows, facts):
    """Rows without a mark are right, and none of them is there twice."""
    known = {tuple(f[k] for k in COMPARED) for f in facts}
    unmarked = [tuple(row[k] for k in COMPARED) for row in rows if not row["quality"]]
    equal([row for row in unmarked if row not in known][:3], [], "rows that are wrong and do not say so")
    equal([row for row, n in collections.Counter(unmarked).items() if n > 1][:3], [], "doubled rows")
    return len(unmarked)


def test_calls_in_any_segments():
    for seed, twice, late in ((1, 0, 0), (2, 0.1, 0), (3, 0.1, 0.2)):
        rows, facts = random_file(seed, False, 0, twice, late)
        equal(check(rows, facts), len(facts), "rows without a mark")
        equal(len(rows), len(facts), "rows")


def test_pipelined_calls_in_any_segments():
    for seed, twice, late in ((4, 0, 0), (5, 0.1, 0.2)):
        rows, facts = random_file(seed, True, 0, twice, late)
        assert check(rows, facts) > len(facts) * 3 / 4, len(facts)


def test_calls_of_which_some_segments_were_lost():
    for seed, pipelined in ((6, False), (7, True)):
        rows, facts = random_file(seed, pipelined, 0.03, 0.03, 0.03)
        assert check(rows, facts) > len(facts) / 2, len(facts)


# ---- one connection, and what is not in the capture of it ----


def five_calls(port, start):
    talk = Talk(Ends(port), start=start).open()
    for i in range(5):
        talk.call(f"/{port}/{i}", status=210 + i, method="POST" if i % 2 else "GET", upload=b"u" * 1500 * (i % 2),
                  body=b"b" * (100 if i % 3 else 2500))
    return talk.close()


def without(talk, lost):
    """The frames of a conversation but for these segments, and the calls that lost none of their payload."""
    frames = [(s.ns, ethernet(four(s), 0x800)) for i, s in enumerate(talk.segments) if i not in lost]
    call, whole, asks = -1, set(range(len(talk.facts))), False
    for i, s in enumerate(talk.segments):
        if not s.payload:
            continue
        call += s.client and not asks
        asks = s.client
        if i in lost:
            whole.discard(call)
    ends = {"client": "192.0.2.1", "server": "198.51.100.2"}
    return Traffic(frames, [{**f, **ends} for f in talk.facts]), [talk.facts[i]["path"] for i in sorted(whole)]


def test_what_a_capture_lost():
    """One segment after the other is left out of a capture, then some at random: a row without a mark is
    right, and a call of which nothing was lost has its row."""
    r, talks, length = random.Random(11), [], len(five_calls(1, START).segments)
    for i in range(length):
        talks.append(without(five_calls(30000 + i, START + i * 10**9), {i}))
    for i in range(300):
        lost = {n for n in range(length) if r.randrange(8) == 0}
        talks.append(without(five_calls(40000 + i, START + i * 10**9), lost))
    traffic = together(*(t for t, _ in talks))
    with temp_dir() as folder:
        path = pcaps.save(folder, "lost", pcaps.pcap(1, traffic.frames, nano=True))
        rows, groups = rows_of(path), rows_of(path, "--by", "client_port")
    assert [r for r in rows if r["response_bytes"] is None], "rows that do not know how long the response was"
    for name in ("request_bytes", "response_bytes"):
        equal(sum(g[name] for g in groups), sum(r[name] or 0 for r in rows), f"{name} of all groups")
    check(rows, traffic.facts)
    paths = collections.Counter(r["path"] for r in rows)
    missing = [path for _, whole in talks for path in whole if path not in paths]
    equal((len(missing), missing[:3]), (0, []), "calls of which nothing was lost, without a row")
