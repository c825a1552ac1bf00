# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The words of the section of docs/PERFORMANCE.md on peers: what does not come from a run."""

HEAD = """## Peers, side by side

`make bench-peers`: `tapline requests` beside other programs that show HTTP requests, in turn under the same load.
nginx is in one network namespace and the load in another, joined by a veth pair, each on CPUs of its own; who
watches has no CPU of its own. Measured on {machine}.
"""

METHOD = """
### How peers were measured

- **The load** is `tests/programs/http_load.c`: an exact rate, each request at its own time whether the answers come
  or not, or as fast as they come; 50 connections, kept. Each request has a number in its path; one in ten is a POST
  with a body, one in ten is answered with 404, the answer has 1 KB. A request is one packet, and so is an answer:
  programs that read packet by packet have it easy. Nobody pipelines.
- **The truth** is nginx's log: method, path, status and client port, a line for each request that the generator
  counted, or the run fails. **Right** is a row that has all four as the log has them; **partly** lacks its
  status, as when the answer's packet was lost; **wrong** contradicts the log or was shown before; **missing** is what
  has no row that is right or partly right. All rounds together. Programs that show a request and its answer as rows
  of their own are helped: their rows are joined here, by connection. Where packets were lost, that may join an
  answer to an earlier request: a wrong row, or by luck a right one.
- **Each is started** as one would start it to see rows as they come, lines flushed where there is an option,
  filtered to the server's port, with its rows in a file. The load begins once its packet socket is there, a BPF
  program of it has run, or it says so. After the load it is left alone until it has taken no CPU for 1.5 s, 40 s at
  most, then it gets SIGINT and is waited for: so what lay in its buffers counts as shown. **Behind** is how long it
  worked on after the load's end.
- **The command lines** are in `tests/bench/peer_load.py`. `tapline requests` watches all sockets of the host, in all
  namespaces; `-i` and the programs that capture packets watch the server's end of the veth pair. `tcpdump -A` is
  there with `-l` and without: with it, it takes each packet at once, from a ring with room for few, and so loses
  some. `tcpdump -w` shows nothing itself: `tcpdump -r` reads the file afterwards, and its CPU is in the number. The
  bpftrace script is what one would write to see nginx's requests: first bytes read and written, with the port of who
  was accepted. It knows nginx's system calls, and no other server's.
- **CPU** is that of all processes of the program, user and system, from when it is ready until it has caught up
  and was quiet for 1.5 s. What the kernel does for it while a packet passes is charged to whoever sends or receives:
  that shows in the throughput kept and in p99, not here. **Memory** is the most there was, of all its processes
  together, in the run as fast as it can: of tapline that is its start, when programs are relocated and loaded.
- **p99** is of all requests after the first half second, from the time at which each was to be sent: what waits for a
  connection waits in the number. A rate beside it was not reached otherwise.
- **First row** is from before the program is started until a row with a path of the load can be read from its standard
  output, a pipe, while 10 connections ask 100 times a second. libpcap hands packets out when a block is full or
  a second old, if the program does not ask for less.
"""
