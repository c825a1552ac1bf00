# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""hello: one row for each accept, with who accepted; -p is decided in the kernel.
The servers are started here, so their pids are known."""

import os

from lib import HttpServer, Nginx, Tapline, curl, equal, select_rows, temp_dir


def test_each_accept_is_a_row():
    with Nginx() as nginx, Tapline(tool="hello") as t:
        for _ in range(5):
            curl(nginx.url())
        rows = select_rows(t.stop(), pid=nginx.workers[0])
        equal(len(rows), 5, "rows of nginx")
        equal({r["comm"] for r in rows}, {"nginx"}, "comm")


def test_pid_filter_is_decided_in_the_kernel():
    with Nginx() as nginx, temp_dir() as directory, HttpServer(directory) as other:
        with Tapline("-p", other.pid, tool="hello") as t, Tapline("-p", os.getpid(), tool="hello") as none:
            for _ in range(3):
                curl(nginx.url())
                curl(other.url())
            equal({r["pid"] for r in t.stop()}, {other.pid}, "pids")
            equal(len(t.rows), 3, "rows")
            equal(none.stop(), [], "rows of a process that accepts nothing")
        equal(t.ledger("records"), 3, "records")
        equal(none.ledger("records"), 0, "records")
