# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the commands on TCP connections tell and cost beside tools that do the same jobs. Each measure returns raw
numbers; report_tcp.py judges them."""

import os
import socket
import time

import lib
import load
import tcp_load
import tcp_rows
import tcp_values
from load import Floor
from measures import say, turned

CLOSES = ("conns_close", "tcplife", "tcpstates", "bpftrace_close")
CONNECTS = ("conns_connect", "bpftrace_connect")
CHURN = ("nothing", *CLOSES, *CONNECTS, "latency_connect", "top", "ss")
KEPT = ("nothing", "latency_all", "latency_rtt", "bpftrace_rtt", "top", "ss")
TIMED = ("latency_all", "latency_rtt", "bpftrace_rtt", "top", "conns_close")
TRIED = ("tcplife", "tcpstates", "tcpconnlat", "tcprtt", "tcptop", "bpftrace_close", "bpftrace_connect", "bpftrace_rtt")


def beside(w, apply):
    """apply()'s result, beside what it took from the watcher w, which is ended."""
    cpu = w.cpu() if w else 0
    result = apply()
    if not w:
        return result
    time.sleep(0.3)  # the last events are read
    result.update(cpu_s=w.cpu() - cpu, peak_kb=w.peak_kb(), ready_ms=w.ready_s * 1000)
    w.stop()
    result["lost"] = w.lost()
    if result["lost"]:
        say(f"  lost: {[getattr(w, 'ledger', ''), getattr(w, 'said', '')]}")
    return result


# ---- connections that come and go ----


def told(name, w, log, client, port):
    """What it told of these connections, held against the log."""
    true = tcp_rows.truth(log, client, port)
    extra = 2 * tcp_load.CONCURRENCY  # ab opens some that it does not use
    if name in CLOSES:
        read = tcp_rows.conns if name == "conns_close" else tcp_load.THEIRS[name][1]
        return tcp_rows.judge(read(w.rows_path), true, port, tcp_rows.SLACK.get(name, 0), extra)
    if name in CONNECTS:
        read = tcp_rows.connects if name == "conns_connect" else tcp_load.THEIRS[name][1]
        return tcp_rows.judge(read(w.rows_path), [t for t in true if t.pid == client], port, 0, extra)
    if name == "latency_connect":
        rows = [r for r in tcp_rows.rows(w.rows_path) if r["port"] == port]
        return {"counted": sum(r["count"] for r in rows), "of": len(log)}
    sums = tcp_rows.by_process(true)
    if name == "top":
        rows = tcp_rows.rows(w.rows_path)  # running sums: the last row of a process has all
        found = {r["pid"]: [r["sent"], r["received"]] for r in rows if r["pid"] in sums}
    else:
        found = tcp_rows.by_process(e for e in tcp_rows.ss(w.rows_path) if port in (e.local_port, e.remote_port))
    return {"bytes": sum(map(sum, sums.values())), "told_bytes": sum(sum(found.get(pid, (0, 0))) for pid in sums),
            "processes": len(sums), "right": sum(found.get(pid) == both for pid, both in sums.items())}


def churn(name, n):
    """n connections of one request each."""
    with load.nginx(log=True, pinned=True) as server:
        client = None

        def apply():
            nonlocal client
            client, rate = tcp_load.ab(server, n)
            return {"rate": rate, "requests": n}

        with tcp_load.watch(name) as w:
            result = beside(w, apply)
            server.stop()
            log = server.log()
            lib.equal(len(log), n, "lines in nginx's log")
            if w:
                result.update(told(name, w, log, client, server.port))
    return result


def rounds(what, names, count, apply):
    done = []
    for i in range(count):
        done.append({name: apply(name) for name in turned(names, i)})
        say(f"{what:12}" + "  ".join(f"{name} {v['rate']:,.0f}" for name, v in sorted(done[-1].items())))
        for name, v in done[-1].items():
            wrong = v.pop("first_wrong", None)
            if v.get("wrong") or v.get("missing"):
                say(f"  {name}: {v['right']} right, {v['wrong']} wrong, {v['missing']} missing, {wrong or ''}")
    return done


# ---- connections that are kept ----


def kept(server, name, seconds):
    def apply():
        requests, rate = load.wrk_counted(server, seconds)
        return {"rate": rate, "requests": requests}

    with tcp_load.watch(name) as w:
        return beside(w, apply)


def kernel_time(server, names, plan):
    """name -> (ns of its programs, requests), by the kernel's own statistics."""
    done = {}
    with Floor("stats"):
        for name in names:
            with tcp_load.watch(name) as w:
                before = load.all_times(w.pid)
                requests, _ = load.wrk_counted(server, plan.tcp_seconds)
                done[name] = (load.all_times(w.pid) - before, requests)
    say("ns a request  " + "  ".join(f"{k} {ns / n:,.0f}" for k, (ns, n) in done.items()))
    return done


def kept_alive(plan, names):
    with load.nginx(pinned=True) as server:
        load.wrk(server, 1)
        done = rounds("kept", names, plan.tcp_rounds, lambda name: kept(server, name, plan.tcp_seconds))
        timed = [n for n in TIMED if n in names or n in CLOSES]
        return done, [kernel_time(server, turned(timed, i), plan) for i in range(plan.few)]


# ---- connections of which some stay open ----

STAY, LEAVE = 97, 101


def asked(port, times):
    """A connection on which so many requests were answered."""
    s = socket.create_connection(("127.0.0.1", port))
    for _ in range(times):
        s.sendall(f"GET {load.PATH} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer or len(answer.partition(b"\r\n\r\n")[2]) < 1024:
            answer += s.recv(4096)
    return s


def held(name):
    """Some connections stay open, others close: which does it tell right?"""
    with load.nginx(log=True, pinned=True) as server:
        with tcp_load.Ours("top_ends") if name == "top" else tcp_load.watch(name) as w:
            stay = [asked(server.port, 1 + i % 5) for i in range(STAY)]
            gone = [asked(server.port, 1 + i % 5) for i in range(LEAVE)]
            ports = {s.getsockname()[1] for s in stay}
            for s in gone:
                s.close()
            time.sleep(0.2)
            w.stop()
            for s in stay:
                s.close()
            server.stop()
            true = tcp_rows.truth(server.log(), os.getpid(), server.port)
            ends = (tcp_rows.ss if name == "ss" else tcp_rows.top)(w.rows_path)
        result = {}
        for kind, is_open in (("open", True), ("closed", False)):
            def mine(e):
                return bool({e.local_port, e.remote_port} & ports) == is_open
            result[kind] = tcp_rows.judge(filter(mine, ends), list(filter(mine, true)), server.port)
            result[kind].pop("first_wrong")
        say(f"held        {name}  " + "  ".join(f"{k}: {v['right']} of {v['of']} right" for k, v in result.items()))
        return result


def measure(plan):
    """The part of docs/performance.json named tcp."""
    machine = load.machine()
    why = tcp_load.refused(TRIED)
    for name, said in why.items():
        say(f"{name} does not start: {said}")

    def there(names):
        return [n for n in names if n not in why]

    requests = plan.tcp_connections
    done, times = kept_alive(plan, there(KEPT))
    return {
        "machine": machine,
        "versions": tcp_load.versions(),
        "refused": why,
        "connections": requests,
        "seconds": plan.tcp_seconds,
        "kept": done,
        "kernel_time": times,
        "churn": rounds("churn", there(CHURN), plan.tcp_rounds, lambda name: churn(name, requests)),
        "held": {name: held(name) for name in ("top", "ss")},
        "values": tcp_values.measure(plan, there),
    }
