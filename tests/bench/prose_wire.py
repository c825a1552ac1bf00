# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The words of the section of docs/PERFORMANCE.md on the wire tap: what does not come from a run."""

HEAD = """## On the wire

The commands that watch an interface, beside programs that capture packets, on the server's end of a veth
pair between two network namespaces. Measured on {machine}.
"""

METHOD = """
### How it was measured on the wire

- **The setting.** nginx is in one namespace and the load in the other, each on CPUs of its own, and nothing
  else passes between them. So no command needs a filter to leave other traffic out, and all see each packet
  of the load, in both directions.
- **Datagrams** are sent by `tests/programs/udp_load.c` from one CPU, through both ends of the pair and
  whatever watches them: Ethernet frames of 64, 594 and 1,518 bytes, 7 to 4 to 1. One in 1,000 is marked
  by its port. They end in sockets that throw them away without an answer.
- **An empty socket filter** is a BPF program that returns 0 at once (`tests/bench/floor.bpf.c`), on a packet
  socket like tapline's: what any program there costs. What was kept is a share of what is kept beside it.
- **1 in 1,000.** `tapline packets` has a filter that matches one packet in a thousand: the marked datagrams;
  of TCP, by IPv4's identification, which each packet of a connection counts up.
- **CPU of the process** is what the watching processes took during the load, user and system. What is done
  for them while a packet passes, BPF programs and copies to packet sockets, the kernel charges to whoever
  sends or receives. **CPU of the machine** has that: it is all time in which a CPU was not idle. Both are
  divided by the requests or datagrams of the same time.
- **Lost** is what each says of itself at its end, all rounds together, as a share of the packets that passed;
  ngrep says nothing. **Calls shown**: the rows, or half of the HTTP messages, of the requests that wrk
  counted. What a program still had to read when the load ended is neither.
- **In the kernel** the socket filters are timed by the kernel (`kernel.bpf_stats_enabled`), each in turn. A
  filter expression and the program behind it are one run. Other programs are the hooks that tell owners.
- **All packets.** Packets counted are held against the counters of the interface itself (`ip -s link`), rows
  of packets against what the generator says that it sent marked, calls against the lines of nginx's log in
  a run with the log on.
- Each of the others is in every second round, as it takes long to start and to end. It writes to /dev/null.
"""

KEPT = ("It would take fewer nanoseconds in the kernel (below): what is left there is reading the headers, the "
        "table of connections, the clock, and copying heads and record.")
TCPDUMP = "tcpdump moves packets to /dev/null, and reads nothing of them."

# Said beside a number that is not reached.
WOULD_TAKE = {
    "wire_kept_by_path": KEPT,
    "wire_kept_json": KEPT,
    "wire_cpu_by_path": TCPDUMP,
    "wire_cpu_json": TCPDUMP,
    "wire_busy_by_path": TCPDUMP,
    "wire_busy_json": TCPDUMP,
    "rows_wire_count": ("In three rounds the load before was still closing its connections when the counters were "
                        "read, and count was not there yet; since this run they are read when nothing passes."),
}
