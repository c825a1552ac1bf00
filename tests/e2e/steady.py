# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Requests without end, for tests that look at how a run of tapline begins and ends.
Whoever counts rows takes a load whose end is known instead: lib.ab, lib.wrk."""

import contextlib
import threading

from lib import Nginx
from raw import fetch


@contextlib.contextmanager
def traffic():
    """A server that is asked without end: its port."""
    done = threading.Event()

    def ask(port):
        while not done.wait(0.02):
            fetch(port, ["/a", "/b"])

    with Nginx() as n:
        asking = threading.Thread(target=ask, args=(n.port,))
        asking.start()
        try:
            yield n.port
        finally:
            done.set()
            asking.join()
