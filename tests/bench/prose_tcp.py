# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The words of the section of docs/PERFORMANCE.md on TCP tools: what does not come from a run."""

AWAY = {"fast": 2000, "slow": 50000}  # us of the way of known delay

HEAD = """## TCP tools

The commands on TCP connections, beside tools that do the same jobs: libbpf-tools, bpftrace and ss, all on the same
load and all unfiltered. Measured on {machine}.
"""

CHURN = """ab opens a connection for each request, and nginx closes it. Each has two ends here: two rows when it
closes, one when it connects. A row is right if process, ports and, where the tool has them, bytes each
way are those of nginx's log."""

BYTES = """On the left connections of a few requests each, of which some are open when the tool is told to end. On
the right what was told of the bytes that the connections above carried, each of which is over within a
millisecond or so: ss has no more than what is open when it looks."""

VALUES = """One connect or call of five takes 50 ms to be answered, the others 2. In brackets is what the client
measured around its own call; the truth is between that and the delay. A tool is right if all three
numbers are. What TCP itself keeps is a smoothed round trip, in which a single slow one counts an
eighth: it hides the slow ones."""

METHOD = """
### How TCP tools were measured

- **The load** is pinned as above: nginx on one half of the CPUs, ab or wrk on the other. Tools run
  where the scheduler puts them. Rounds alternate as everywhere on this page.
- **bpftrace** runs what somebody who knows TCP would write (`tests/bench/tcp_load.py`): at the state
  change that the owner makes, the process is remembered, as the last one is often made by whoever is
  interrupted by a packet.
- **Bytes** may be off by two for others, as the kernel counts SYN and FIN, and by half a hundredth of a
  KB for tcplife, which shows no more.
- **Not in the log** are connections that ab opens in the end and does not use, at most as many as it
  has at once: rows of these are neither right nor wrong. Ports come again within a round, so of tools
  without bytes a few of these rows may stand for another of the same ports.
- **Ready**: tapline says so itself (TAPLINE_READY_FD). Of the others it is the time until one of their
  BPF programs has run for the first time while connections are made all the time; of ss, how long a
  look takes.
- **CPU of the process** is user and system time during the load, and **peak memory** the most it had in
  memory (VmHWM). Of ss both are those of all its processes, and its output is not read while it runs.
- **In the kernel** programs are timed by the kernel (`kernel.bpf_stats_enabled`), under wrk.
- **The way of known delay** is a process between two tun devices (`tests/e2e/slow.py`): kernels without
  netem have those. Of the calls only the client's end counts.
- A tool that needs tracefs gets it in a mount namespace of its own.
"""

KEPT = "It would take fewer hooks: who uses a socket is learned where it sends and reads."

# Said beside a number that is not reached.
WOULD_TAKE = {
    "tcp_kept_churn_top": "ss does nothing between two looks, and so does not know what came and went.",
    "tcp_kept_kept_top": "top has a program where sockets are written and read, to know whose they are; ss has none.",
    "tcp_kept_churn_conns_close": KEPT,
    "tcp_kept_churn_conns_connect": KEPT,
    "tcp_kept_churn_latency_connect": KEPT,
    "tcp_kept_kept_latency_rtt": "bpftrace reads a number that TCP keeps anyway. Each round trip by itself takes a "
                                 "look at every segment, both ways.",
}
