# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The words of docs/PERFORMANCE.md: what does not come from a run."""

HEAD = """# What tapline costs

Made by `make bench`, which writes this page and its raw numbers (`performance.json` beside it); do not
edit. Measured on {machine}. The load is nginx ({half} worker(s), no access log) answering 1 KB from memory
to wrk ({half} thread(s), 50 connections kept alive), on loopback: they and tapline share the cores, and
both ends of each call are seen. Numbers are medians, with the range of all
rounds in brackets.

"""

PINNED = "With server and client pinned, so that each call crosses between the cores:"

METHOD = """
## Method

- **Rounds.** What is compared runs within each round, one after the other, and the order turns from round
  to round, so that the machine's own drift hits all alike. A ratio is made within its round; the median
  is that of the ratios.
- **The setting.** A worker of nginx for half of the cores, a thread of wrk for each of the others. There is
  no access log: it would slow the server down and so make tapline's share look smaller.
- **Pinned** is the same with each worker and thread kept on a core of its own: the load is faster, rounds
  are steadier, and each call crosses between cores, which is the dearest case for state that both touch.
- **The floor.** Four empty BPF programs (`tests/bench/floor.bpf.c`) on the hooks of tapline that run for
  every call: cgroup_skb ingress and egress, the send and the read hook. It is what any program on these
  hooks costs.
- **tapline** watches all connections of the host, without a filter. The JSON file is an ordinary one on
  disk, and deleted after each round.
- **p99.** h2load asks at a steady rate, half of what it reaches at full speed, and logs the time of each
  request; percentiles are of all requests after the first half second. h2load's connections ask in step,
  so a response waits for those before it.
- **Lost.** nginx logs each request (buffered) for the long runs. Calls of the load's path are counted:
  with `--by path` from its table, else a row each. `wrk` leaves out the calls in flight at its end; nginx
  and tapline do not. Lost is what tapline's ledger says of records, state and rows that were lost.
- **CPU of the user side** is the CPU time (user and system) of the tapline process in the long runs, from
  its being ready to a second after the load, divided by the calls. The sweep is part of it.
- **In the kernel.** The kernel times each program (`kernel.bpf_stats_enabled`), tapline's and, in a run
  beside it, the empty ones; the difference is net, and free of the cost of the timing itself. Which
  packets carry data is counted by a program that runs after tapline's on the same packets: most
  acknowledgements travel with data on this load, and what tapline spends on pure acknowledgements is
  charged to the packets with data. A data packet on loopback is sent once and received once.
- **Ready** is from before the process is started until it says so on TAPLINE_READY_FD, all programs
  attached: the median of all starts, one after the other.
- **Idle connections** are opened, with tapline running, in a network namespace of their own by
  `tests/programs/idle_conns.c`. Then tapline ends while they stay: what the kernel gives back, less what it
  gives back when there are no connections, is what tapline added. It is read from the general-purpose
  slabs (the kmalloc caches of /proc/slabinfo, objects in use), from which socket storage is taken, once
  they stand still. Both ends are on this host; an end is half of a connection. The sweep's share is
  tapline's CPU time with these connections, each used once, less its CPU time with none.
- **Other programs** are attached to loopback, filtered to the server's port, and write to /dev/null. They
  may drop packets; that is not looked at.
"""

KERNEL = ("What is left is finding the socket's state, the lock and the clock, and copying heads and record: "
          "it would take less state and fewer bytes of heads.")
RING = ("The ring is 1 MiB and, as it is mapped twice, counts as 2.")
STATE = ("An end has two objects in its socket's storage, state and heads, and the kernel's own beside them; "
         "it would take one object, or heads that are given back after each exchange.")
THROUGHPUT = "It would take fewer nanoseconds in the kernel (below), and less of the CPU of the user side."

# Said beside a number that is not reached.
WOULD_TAKE = {
    "by_path_floor": THROUGHPUT,
    "json_floor": THROUGHPUT,
    "kept": THROUGHPUT,
    "ns_ingress": KERNEL,
    "ns_egress": KERNEL,
    "ns_packet": KERNEL,
    "rss_by_path": RING,
    "rss_json": RING,
    "ready": "Most of it is the kernel's verifier, which follows the branches of the two packet programs: "
             "it would take smaller ones, or functions that it checks once.",
    "idle_end": STATE,
    "idle": STATE,
}
