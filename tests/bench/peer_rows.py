# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Rows of programs that show HTTP requests, held against nginx's log: each program's own format becomes one kind
of row, and a row is right, partly right or wrong."""

import collections
import json
import re

# A request with its answer. What a program did not show is None.
Row = collections.namedtuple("Row", "method path status port")


def lines(path):
    with open(path, errors="replace") as f:
        yield from f


def truth(path):
    """Rows of nginx's log (lib.LOG_FIELDS), by their paths, which are all different."""
    found = {}
    for line in lines(path):
        word = line.split()
        found[word[11]] = Row(word[10], word[11], int(word[4]), int(word[8]))
    return found


# ---- formats ----


def paired(messages):
    """Rows of (port, method, path) and (port, status), in the order of the wire. Nobody pipelines, so that an answer
    is that of the request before it on its connection; one without a request is left out."""
    waiting = {}
    for port, *message in messages:
        if len(message) == 2:
            if port in waiting:
                yield waiting[port]
            waiting[port] = Row(*message, None, port)
        elif port in waiting:
            yield waiting.pop(port)._replace(status=message[0])
    yield from waiting.values()


def message(source, destination, method, path, status):
    """The client's port is the source's of a request, and the destination's of an answer."""
    return (int(destination), int(status)) if status else (int(source), method, path)


def tapline(path):
    for line in lines(path):
        r = json.loads(line)
        yield Row(r["method"], r["path"], r["status"], r["client_port"])


def columns(path):
    """Source port, destination port, method, path, status, by tabs; - or nothing where there is none."""
    for line in lines(path):
        word = [w.strip("-") for w in line.rstrip("\n").split("\t")]
        if len(word) == 5 and word[0].isdigit() and (word[2] or word[4]):
            yield message(*word)


# tcpdump: 12:00:00.000000 IP 10.0.0.1.4000 > 10.0.0.2.80: Flags [P.], seq 1:71, ..., length 70: HTTP: GET /r/1 HTTP/1.1
TCPDUMP = re.compile(r"[\d:.]+ IP [\d.]+\.(\d+) > [\d.]+\.(\d+): .*: HTTP: (?:HTTP/1\.1 (\d+)|(\w+) (\S+))")


def tcpdump(path):
    for line in lines(path):
        m = TCPDUMP.match(line) if " HTTP: " in line else None
        if m:
            yield message(m[1], m[2], m[4], m[5], m[3])


# ngrep: T 10.0.0.1:4000 -> 10.0.0.2:80 [AP] #4, and the packet's bytes from the next line on
NGREP = re.compile(r"T [\d.]+:(\d+) -> [\d.]+:(\d+) ")
FIRST = re.compile(r"(?:HTTP/1\.1 (\d+)|(\w+) (\S+) HTTP/1\.1)")


def ngrep(path):
    ends = None
    for line in lines(path):
        m = FIRST.match(line) if ends else None
        if m:
            yield message(*ends, m[2], m[3], m[1])
        m = NGREP.match(line)
        ends = m.groups() if m else None


# The bpftrace script of peer_load.py: PORT > the first bytes read, PORT < the first bytes written
BPFTRACE = re.compile(r"(\d+) [<>] (?:HTTP/1\.1 (\d+)|(\w+) (\S+))")


def bpftrace(path):
    for line in lines(path):
        m = BPFTRACE.match(line)
        if m:
            yield (int(m[1]), int(m[2])) if m[2] else (int(m[1]), m[3], m[4])


# ---- judgement ----


def judged(rows, want):
    """right: method, path, status and client port are those of the log. partly: no more than the status is
    missing, as when the answer's packet was lost. wrong: contradicts the log, or was shown before. missing: what no
    row is right or partly right of. Rows of other paths, and without one, are extra."""
    seen, count = set(), collections.Counter()
    for row in rows:
        if row.path not in want:
            count["extra"] += 1
        elif row.path in seen:
            count["wrong"] += 1
        elif row == want[row.path] or row == want[row.path]._replace(status=None):
            seen.add(row.path)
            count["partly" if row.status is None else "right"] += 1
        else:
            count["wrong"] += 1
    return {**{k: count[k] for k in ("right", "partly", "wrong", "extra")}, "missing": len(want) - len(seen)}
