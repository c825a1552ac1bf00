# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A tapline process of a soak run: its rows go to an account as they come, and what it holds (memory,
descriptors, threads, memory and entries of its BPF maps) can be sampled while it runs."""

import contextlib
import glob
import json
import os
import re
import signal
import subprocess
import tempfile
import threading

import lib

# map types of <linux/bpf.h> that have entries to count: hashes, with and without LRU, storage of sockets
COUNTED = {1, 5, 9, 10, 24}
CLOCK = os.sysconf("SC_CLK_TCK")


class Watched:
    def __init__(self, name, args, account, ns=None):
        self.name, self.account = name, account
        self.args = [lib.TAPLINE, *args, "-o", "json"]
        self.ns, self.rows, self.failure, self.ledger = ns, 0, None, ""

    def __enter__(self):
        self.err = tempfile.TemporaryFile()
        self.p, ready = lib.start_tapline(self.args, ns=self.ns, stdout=subprocess.PIPE, stderr=self.err)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        try:
            lib.wait_ready(ready)
        except BaseException:
            self.__exit__()
            raise
        self.maps = self._maps()
        return self

    def _read(self):
        """Every row, whole: nothing is kept but what the account keeps."""
        for line in self.p.stdout:
            self.rows += 1
            try:
                self.account.take(json.loads(line))
            except Exception as e:
                self.failure = self.failure or f"{e!r} at {line[:300]!r}"

    def __exit__(self, *_):
        if self.p.poll() is None:
            self.p.kill()
            self.p.wait()
        self.thread.join(10)
        self.err.close()

    def stop(self):
        """Ends it as Ctrl-C does, and keeps its ledger."""
        self.p.send_signal(signal.SIGINT)
        self.p.wait(30)
        self.thread.join(30)
        self.err.seek(0)
        self.ledger = self.err.read().decode("utf-8", "replace").replace(lib.ROOT, "")

    def _maps(self):
        """{id: type} of the maps that it has open."""
        found = {}
        for path in glob.glob(f"/proc/{self.p.pid}/fdinfo/*"):
            with contextlib.suppress(OSError), open(path) as f:
                info = dict(re.findall(r"^(map_type|map_id):\s+(\d+)$", f.read(), re.M))
                if "map_type" in info:
                    found[int(info["map_id"])] = int(info["map_type"])
        return found

    def _map_memory(self):
        """KB of kernel memory of its maps: (all, those whose entries are not counted). It does not tell what
        storage of sockets takes."""
        memory = {}
        for path in glob.glob(f"/proc/{self.p.pid}/fdinfo/*"):
            with contextlib.suppress(OSError), open(path) as f:
                info = dict(re.findall(r"^(memlock|map_id):\s+(\d+)$", f.read(), re.M))
                if len(info) == 2:
                    memory[info["map_id"]] = int(info["memlock"])
        fixed = sum(n for i, n in memory.items() if self.maps.get(int(i)) not in COUNTED)
        return sum(memory.values()) / 1024, fixed / 1024

    def programs(self):
        """The ids of the programs that it has attached."""
        found = set()
        for path in glob.glob(f"/proc/{self.p.pid}/fdinfo/*"):
            with contextlib.suppress(OSError), open(path) as f:
                found.update(int(i) for i in re.findall(r"^prog_id:\s+(\d+)$", f.read(), re.M))
        return found

    def sample(self):
        pid = self.p.pid
        assert self.p.poll() is None, f"tapline {self.name} ended: {self.p.returncode}"
        with open(f"/proc/{pid}/smaps_rollup") as f:
            memory = dict(re.findall(r"^(Rss|Pss|Anonymous):\s+(\d+) kB", f.read(), re.M))
        with open(f"/proc/{pid}/stat", "rb") as f:
            stat = f.read().rpartition(b")")[2].split()
        map_kb, fixed_kb = self._map_memory()
        return {"rss_kb": int(memory["Rss"]), "pss_kb": int(memory["Pss"]), "heap_kb": int(memory["Anonymous"]),
                "fds": len(os.listdir(f"/proc/{pid}/fd")), "threads": int(stat[17]),
                "map_kb": round(map_kb), "fixed_kb": round(fixed_kb),
                "cpu_s": (int(stat[11]) + int(stat[12])) / CLOCK, "rows": self.rows}


def entries(watched):
    """[{name of a map: its entries}] of each process, counted by one run of a program."""
    counted = [[str(i) for i, kind in w.maps.items() if kind in COUNTED] for w in watched]
    said = lib.run(lib.program("map_entries"), *[i for ids in counted for i in ids]).stdout
    lines = {line.split()[0]: line.split()[1:] for line in said.splitlines()}
    return [{lines[i][0]: int(lines[i][1]) for i in ids} for ids in counted]


def missed(watched):
    """{tool: runs of its programs that the kernel left out, as the same one was under way on that CPU}."""
    programs = json.loads(lib.run("bpftool", "-j", "prog", "show").stdout)
    counted = {p["id"]: p.get("recursion_misses", 0) for p in programs}
    return {w.name: sum(counted.get(i, 0) for i in w.programs()) for w in watched}


def tcp_sockets():
    """TCP sockets of the whole host: of each a storage has at most one entry."""
    with open("/proc/net/sockstat") as f:
        return int(re.search(r"^TCP:.* alloc (\d+)", f.read(), re.M)[1])
