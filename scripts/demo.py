# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Traffic for run.sh --demo: a small web server on loopback, and clients that keep asking it.
Paths, methods, statuses and delays differ, so that a first look shows what the columns are for.

Ends, with its clients, at SIGTERM or SIGINT, and when its parent dies.
"""

import ctypes
import http.client
import http.server
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

# method, path, status, seconds to the first byte, bytes
ANSWERS = [
    ("GET", "/", 200, 0.002, 4_000),
    ("GET", "/api/users/42", 200, 0.015, 900),
    ("GET", "/api/search?q=bread&token=not-for-eyes", 200, 0.180, 12_000),
    ("POST", "/api/orders", 201, 0.060, 120),
    ("GET", "/static/logo.png", 304, 0.001, 0),
    ("DELETE", "/api/orders/7", 204, 0.020, 0),
    ("GET", "/missing", 404, 0.003, 300),
    ("GET", "/report.pdf", 200, 0.030, 600_000),
    ("POST", "/api/payment", 503, 0.900, 60),
]
BY_REQUEST = {(method, path): rest for method, path, *rest in ANSWERS}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, delay, size = BY_REQUEST.get((self.command, self.path), (404, 0.0, 0))
        time.sleep(delay * random.uniform(0.7, 1.5))
        self.send_response(status)
        if status not in (204, 304):
            self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.write(b"x" * size)

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # a client that was stopped midway


def ask_forever(port):
    """One keep-alive client."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            for _ in range(20):
                method, path, *_ = random.choice(ANSWERS)
                body = b"{}" * 200 if method == "POST" else None
                connection.request(method, path, body, {"Host": "shop.example"})
                connection.getresponse().read()
                time.sleep(random.uniform(0.05, 0.4))
        except OSError:
            time.sleep(0.2)
        finally:
            connection.close()


def curl_forever(port):
    while True:
        method, path, *_ = random.choice(ANSWERS)
        subprocess.run(
            ["curl", "-s", "-o", os.devnull, "--noproxy", "*", "-X", method, "-H",
             "Host: shop.example", f"http://127.0.0.1:{port}{path}"],
            check=False, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=end_with_parent)
        time.sleep(random.uniform(0.3, 0.9))


def end_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG of prctl(2)


def main():
    end_with_parent()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    # The client is a process of its own: who asks whom is what there is to see.
    if os.fork() == 0:
        end_with_parent()
        server.socket.close()
        if shutil.which("curl"):
            threading.Thread(target=curl_forever, args=(port,), daemon=True).start()
        ask_forever(port)
    print(f"demo: a web server on port {port}, and clients that ask it", file=sys.stderr)
    signal.pause()


if __name__ == "__main__":
    main()
