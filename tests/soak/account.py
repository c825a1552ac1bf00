# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the rows of each tool say, added up while they come, to be held against what the clients and
nginx counted. An account keeps sums and a byte for each call, so that it may run for days."""

import collections


class Requests:
    """Each request has its kind, the client's letter and a number in its path or its first bytes:
    so it is known which call has no row, and which has two."""

    def __init__(self, ports):
        self.ports = ports
        self.seen = collections.defaultdict(bytearray)  # by kind and letter: rows of each number
        self.sent_bytes, self.received_bytes = collections.Counter(), collections.Counter()
        self.quality = collections.defaultdict(collections.Counter)
        self.others = 0  # rows of other programs on this host that use a port of ours
        self.stream = 0  # rows of what streams carry after their upgrade
        self.stream_kind = "stream"

    def take(self, row):
        if row["server_port"] not in self.ports:
            self.others += 1
            return
        said = (row["path"] or row["request"] or "").strip("/").split("/")
        if len(said) < 3 and row["server_port"] == self.ports[-1]:
            kind = self.stream_kind
            self.stream += 1
        else:
            kind, letter, number = said[0], said[1], int(said[2])
            seen = self.seen[kind, letter]
            if len(seen) < number:
                seen.extend(bytes(max(number - len(seen), 4096)))
            seen[number - 1] = min(seen[number - 1] + 1, 255)
        self.sent_bytes[kind] += row["request_bytes"] or 0
        self.received_bytes[kind] += row["response_bytes"] or 0
        self.quality[kind][",".join(row["quality"]) or "whole"] += 1

    def calls(self, kind, sent):
        """(rows, calls without a row, rows too many), sent being {letter: requests}."""
        rows = missing = more = 0
        for letter, n in sent.items():
            seen = self.seen[kind, letter]
            rows += sum(seen)
            missing += max(0, n - len(seen)) + seen[:n].count(0)
            more += sum(times - 1 for times in seen[:n] if times > 1) + sum(seen[n:])
        return rows, missing, more


class Conns:
    """Events of connections; a listener of a process that serves here is none."""

    def __init__(self):
        self.events = collections.Counter()

    def take(self, row):
        self.events[row["event"]] += 1


class Top:
    """The last running sums of each port."""

    def __init__(self):
        self.ports = {}

    def take(self, row):
        self.ports[row["port"]] = row


class Latency:
    """Cases of each kind."""

    def __init__(self):
        self.cases = collections.Counter()

    def take(self, row):
        self.cases[row["kind"]] += row["count"]


class Count:
    """The last running totals of each protocol."""

    def __init__(self):
        self.totals = {}

    def take(self, row):
        self.totals[row["protocol"]] = row

    @property
    def packets(self):
        return sum(row["packets"] for row in self.totals.values())
