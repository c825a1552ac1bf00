# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A way between two hosts that takes a known time: what round trips are held against. Kernels without netem have
tun devices, and a process between them."""

import contextlib
import os

from lib import Netns, Proc, Skip, equal

# Between the two hosts a process hands packets on: those of host b late. Arguments: b's namespace, seconds. Each
# line that it reads is another number of seconds.
LINK = """
import ctypes, fcntl, heapq, os, select, struct, subprocess, sys, time
def tun(address, to):
    f = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(f, 0x400454ca, struct.pack('16sH22x', b'w0', 0x1001))  # TUNSETIFF: IFF_TUN | IFF_NO_PI
    subprocess.run(['ip', 'addr', 'add', address, 'peer', to, 'dev', 'w0'], check=True)
    subprocess.run(['ip', 'link', 'set', 'w0', 'up'], check=True)
    return f
a = tun('10.9.0.1', '10.9.0.2')
ns = os.open('/run/netns/' + sys.argv[1], os.O_RDONLY)
if ctypes.CDLL(None, use_errno=True).setns(ns, 0):
    sys.exit(os.strerror(ctypes.get_errno()))
b = tun('10.9.0.2', '10.9.0.1')
print('made', flush=True)
late, delay, n = [], float(sys.argv[2]), 0
while True:
    wait = max(0, late[0][0] - time.monotonic()) if late else None
    ready, _, _ = select.select([a, b, 0], [], [], wait)
    if 0 in ready:
        said = os.read(0, 1000)
        if not said:
            break
        delay = float(said.split()[-1])
    if a in ready:
        os.write(b, os.read(a, 65536))
    if b in ready:
        heapq.heappush(late, (time.monotonic() + delay, n, os.read(b, 65536)))
        n += 1
    while late and late[0][0] <= time.monotonic():
        os.write(a, heapq.heappop(late)[2])
"""

# Answers each read on one connection after the other. Argument: its port, at host b.
ANSWER = """
import socket, sys
with socket.create_server(('10.9.0.2', int(sys.argv[1]))) as l:
    print('ready', flush=True)
    while True:
        s, _ = l.accept()
        try:
            while s.recv(1000):
                s.sendall(b'y' * 10)
        except ConnectionResetError:
            pass
"""


@contextlib.contextmanager
def slow_way(delay):
    """(a, b, change): namespaces; what b sends reaches a delay seconds later, or as many as change was called with."""
    if not os.path.exists("/dev/net/tun"):
        raise Skip("this kernel has no tun devices")
    with Netns("a") as a, Netns("b") as b:
        with Proc("python3", "-c", LINK, str(b), str(delay), ns=a, stdin=-1, stdout=-1, text=True) as link:
            equal(link.p.stdout.readline(), "made\n", "the way")

            def change(seconds):
                link.p.stdin.write(f"{seconds}\n")
                link.p.stdin.flush()

            yield a, b, change
