# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Rows of TCP tools held against nginx's log: each tool's own format becomes one kind of row, and a row is right,
wrong or missing."""

import collections
import json
import re

# An end of a connection. What a tool has no column for is None.
End = collections.namedtuple("End", "pid local_port remote_port sent received us", defaults=(None,) * 3)

# How far a number of bytes may be off: SYN and FIN count as a byte each in the kernel, and not all take them off;
# tcplife rounds to hundredths of a KB.
SLACK = {"tcplife": 2 + 5.12, "bpftrace_close": 2}


# ---- formats ----


def lines(path):
    with open(path, errors="replace") as f:
        yield from f


def rows(path):
    return [json.loads(line) for line in lines(path)]


def conns(path):
    return [End(r["pid"], r["local_port"], r["remote_port"], r["bytes_sent"], r["bytes_received"])
            for r in rows(path)]


def connects(path):
    """Those that were made; they have no bytes."""
    return [End(r["pid"], r["local_port"], r["remote_port"], us=r["latency_us"]) for r in rows(path) if not r["error"]]


def tcplife(path):
    """PID COMM LADDR LPORT RADDR RPORT TX_KB RX_KB MS"""
    ends = []
    for line in lines(path):
        word = line.split()
        if len(word) >= 9 and word[0].isdigit():
            ends.append(End(int(word[0]), int(word[-6]), int(word[-4]),
                            float(word[-3]) * 1024, float(word[-2]) * 1024))
    return ends


def tcpstates(path):
    """SKADDR PID COMM LADDR LPORT RADDR RPORT OLDSTATE -> NEWSTATE MS"""
    ends = []
    for line in lines(path):
        word = line.split()
        if len(word) >= 11 and word[-2] == "CLOSE":
            ends.append(End(int(word[1]), int(word[-7]), int(word[-5])))
    return ends


def numbers(path):
    """pid, ports, and bytes each way, or a time; what bpftrace was asked to print."""
    found = [list(map(int, line.split())) for line in lines(path) if re.fullmatch(r"[\d ]+\n", line)]
    return [End(*n) if len(n) == 5 else End(*n[:3], us=n[3]) for n in found]


def ss_each(path):
    """Each end in each look: pid, ports, bytes, smoothed round trip."""
    for line in lines(path):
        word = line.split()
        user = re.search(r"pid=(\d+)", line)
        ports = [int(w.rpartition(":")[2]) for w in word[3:5]]
        number = {k: int(v) for k, v in re.findall(r"(\w+):(\d+)\b", line)}
        rtt = re.search(r"\brtt:([\d.]+)/", line)
        yield End(int(user[1]) if user else None, *ports, number.get("bytes_sent", 0) - number.get("bytes_retrans", 0),
                  number.get("bytes_received", 0), rtt and float(rtt[1]) * 1000)


def ss(path):
    """Each end as it was seen last, of those that a process held."""
    return list({e[:3]: e for e in ss_each(path) if e.pid}.values())


def top(path):
    """By connection: running sums, so the last row of each has all."""
    ends = [End(r["pid"], r["local_port"], r["remote_port"], r["sent"], r["received"]) for r in rows(path)]
    return list({e[1:3]: e for e in ends}.values())


# ---- truth ----


def truth(log, client, port):
    """Both ends of each connection in nginx's log; client: pid of the only process that asked."""
    sums = {}
    for e in log:
        key = (e["remote_port"], e["connection"])
        worker, sent, received = sums.get(key, (e["pid"], 0, 0))
        sums[key] = worker, sent + e["bytes_sent"], received + e["request_length"]
    ends = []
    for (remote, _), (worker, sent, received) in sums.items():
        ends += [End(worker, port, remote, sent, received), End(client, remote, port, received, sent)]
    return ends


def agrees(told, true, slack):
    return told.pid == true.pid and all(
        a is None or abs(a - b) <= slack for a, b in ((told.sent, true.sent), (told.received, true.received)))


def judge(told, true, port, slack=0, extra=0):
    """Right, wrong and missing rows of those with this port. extra: ends that are not in the log because nothing was
    asked there, of which a row is neither right nor wrong. Their ports may have been another connection's, too."""
    left = collections.defaultdict(list)
    for t in true:
        left[t.local_port, t.remote_port].append(t)
    others, wrong = [], []
    for row in told:
        ports = row.local_port, row.remote_port
        if port not in ports or not all(ports):
            continue
        hit = next((t for t in left.get(ports, ()) if agrees(row, t, slack)), None)
        if hit:
            left[ports].remove(hit)
        else:
            others.append(row)
    unmatched = sum(map(len, left.values()))
    for row in others:
        ends = left.get((row.local_port, row.remote_port))
        if ends:
            ends.pop()
            wrong.append(row)
    unknown = len(others) - len(wrong)
    return {"right": len(true) - unmatched, "wrong": len(wrong) + max(0, unknown - extra),
            "missing": unmatched - len(wrong), "of": len(true), "first_wrong": list(wrong[0]) if wrong else None}


def by_process(ends):
    """pid -> [sent, received] of all its ends."""
    sums = {}
    for e in ends:
        both = sums.setdefault(e.pid, [0, 0])
        both[0], both[1] = both[0] + e.sent, both[1] + e.received
    return sums
