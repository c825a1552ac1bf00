# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""From the word `ready` on no call is missed; and the static binary needs nothing of its machine.
What kills leave behind and what a running tapline may still do is in test_raw_robust.py."""

import os

import lib
from lib import Nginx, Tapline, at_most, curl, one, run


def test_static_binary_works():
    binary = os.path.join(lib.BUILD, "tapline-static")
    if not os.path.exists(binary):
        raise lib.Skip("build/tapline-static is not built: make static")
    at_most(os.path.getsize(binary), 3_000_000, "size")
    with lib.temp_dir() as empty:
        # In a root of its own, with nothing but what the kernel shows.
        for name in ("sys", "proc"):
            os.mkdir(f"{empty}/{name}")
        run("cp", binary, f"{empty}/tapline")
        enter = ["unshare", "-m", "--propagation", "private", "sh", "-c",
                 f'mount --rbind /sys {empty}/sys && mount --rbind /proc {empty}/proc && '
                 f'exec chroot {empty} /tapline "$@"', "sh"]
        with Nginx() as nginx, Tapline("requests", "-o", "json", "--port", nginx.port, tool=None,
                                       json_rows=False, binary=None,
                                       before=enter) as t:
            curl(nginx.url("/static"))
            t.stop()
            one(t.rows, path="/static", status=200)


def test_first_call_after_ready():
    with Nginx() as nginx:
        for i in range(20):
            with Tapline("--port", nginx.port) as t:
                curl(nginx.url(f"/{i}"))
                lib.whole(one(t.stop(), path=f"/{i}", status=200))
