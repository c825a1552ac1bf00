# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Who answers: workers, threads, reused ports, a process that was handed the socket, proxies.
Each server says its own pid in the answer, which is the truth for server_pid."""

import os
import time

import lib
from lib import Nginx, Proc, Script, Tapline, at_least, curl, equal, one, whole


def answers_with_own_pid(source, calls=12, command=None):
    """Each call's row names the process that the answer names."""
    with Script(command or [lib.real_python()], source) as server, Tapline("--port", server.port) as t:
        said = {f"/{i}": int(curl(server.url(f"/{i}"))["body"]) for i in range(calls)}
        rows = t.stop()
        equal({r["path"]: r["server_pid"] for r in rows}, said, "who answered")
        for row in rows:
            whole(row)
        return server, set(said.values()), rows


ANSWER = """
import http.server, os, socket, socketserver, sys, time
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
port = int(sys.argv[1])
"""


def test_prefork_shares_a_listener():
    server, pids, _ = answers_with_own_pid(ANSWER + """
server = http.server.HTTPServer(('127.0.0.1', port), H)
for _ in range(3):
    if os.fork() == 0:
        while True:
            server.handle_request()
            time.sleep(0.05)  # let another one take the next
while True:
    time.sleep(60)
""")
    assert server.pid not in pids, "the master answers nothing"
    at_least(len(pids), 2, "workers that answered")


def test_fork_for_each_connection():
    server, pids, _ = answers_with_own_pid(ANSWER + """
class S(socketserver.ForkingMixIn, http.server.HTTPServer):
    pass
S(('127.0.0.1', port), H).serve_forever()
""")
    equal(len(pids), 12, "a process each")


def test_threads():
    server, pids, rows = answers_with_own_pid(ANSWER + """
http.server.ThreadingHTTPServer(('127.0.0.1', port), H).serve_forever()
""")
    equal(pids, {server.pid}, "pid is the process, not the thread")
    equal({r["server_comm"] for r in rows}, {os.path.basename(lib.real_python())[:15]}, "comm")


def test_reuseport():
    _, pids, _ = answers_with_own_pid(ANSWER + """
class S(http.server.HTTPServer):
    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()
for _ in range(3):
    if os.fork() == 0:
        S(('127.0.0.1', port), H).serve_forever()
while True:
    time.sleep(60)
""", calls=30)
    at_least(len(pids), 2, "processes that answered")


def test_accepted_here_served_there():
    server, pids, _ = answers_with_own_pid(ANSWER + """
import array
parent, child = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
if os.fork() == 0:
    while True:
        _, fds, _, address = socket.recv_fds(child, 100, 1)
        connection = socket.socket(fileno=fds[0])
        H(connection, ('127.0.0.1', 0), None)
        connection.close()
listener = socket.create_server(('127.0.0.1', port))
while True:
    connection, address = listener.accept()
    socket.send_fds(parent, [b'x'], [connection.fileno()])
    connection.close()
""")
    assert server.pid not in pids, "the process that accepted does not serve"


def test_node():
    source = """
        require('http').createServer((q, r) => r.end(String(process.pid))).listen(process.argv[2])"""
    server, pids, rows = answers_with_own_pid(source, command=["node"])
    equal(pids, {server.pid}, "pid")
    equal({r["server_comm"] for r in rows}, {"node"}, "comm")
    equal({r["server"] for r in rows}, {"127.0.0.1"}, "an IPv4 address on an IPv6 socket is shown as IPv4")


def test_node_cluster():
    source = """
        const cluster = require('cluster')
        if (cluster.isPrimary) { cluster.fork(); cluster.fork() }
        else require('http').createServer((q, r) => r.end(String(process.pid))).listen(process.argv[2])"""
    server, pids, _ = answers_with_own_pid(source, command=["node"])
    assert server.pid not in pids, "the primary accepts, and a worker answers"


def test_python_http_server():
    with lib.temp_dir() as directory:
        with open(f"{directory}/page.txt", "wb") as f:
            f.write(b"x" * 3000)
        with lib.HttpServer(directory) as server, Tapline("--port", server.port) as t:
            asked = curl(server.url("/page.txt"))
            row = one(t.stop(), path="/page.txt")
            equal((row["status"], row["server_pid"]), (200, server.pid), "row")
            equal(row["response_bytes"], asked["size_header"] + asked["size_download"], "response_bytes")
            equal(row["request_bytes"], asked["size_request"], "request_bytes")
            whole(row)


def test_nginx_reuseport_names_the_worker():
    with Nginx("location / { return 200 '$pid'; }", workers=3, listen="reuseport") as nginx:
        with Tapline("--port", nginx.port) as t:
            said = {f"/{i}": int(curl(nginx.url(f"/{i}"))["body"]) for i in range(20)}
            rows = t.stop()
        equal({r["path"]: r["server_pid"] for r in rows}, said, "who answered")
        at_least(len(set(said.values())), 2, "workers that answered")


def test_haproxy_in_front_of_nginx():
    with Nginx() as nginx, lib.temp_dir() as directory:
        port = lib.free_port()
        with open(f"{directory}/haproxy.cfg", "w") as f:
            f.write(f"""
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend front
    bind 127.0.0.1:{port}
    default_backend back
backend back
    server one 127.0.0.1:{nginx.port}
""")
        with Proc("haproxy", "-db", "-f", f"{directory}/haproxy.cfg") as haproxy:
            lib.wait_listening(haproxy, port)
            with Tapline() as t:
                marks = [f"/through-haproxy-{os.getpid()}-{i}" for i in range(5)]
                asked = {m: curl(f"http://127.0.0.1:{port}{m}")["pid"] for m in marks}
                rows = t.stop()
            entries = {e["request_uri"]: e for e in nginx.log(5)}
            for mark in marks:
                equal(len(lib.select_rows(rows, path=mark)), 2, f"rows of {mark}")
                front = one(rows, path=mark, server_port=port)
                back = one(rows, path=mark, server_port=nginx.port)
                equal((front["client_pid"], front["server_pid"]), (asked[mark], haproxy.pid), "front")
                equal((back["client_pid"], back["server_pid"]), (haproxy.pid, nginx.workers[0]), "back")
                equal((front["side"], back["side"]), ("both", "both"), "sides")
                equal(back["response_bytes"], entries[mark]["bytes_sent"], "response_bytes")
                assert front["total_us"] >= back["total_us"], "the proxy's call holds the other one"
                whole(front)
                whole(back)


def test_process_that_is_gone():
    """Client and server have exited when the row is made."""
    with Script([lib.real_python()], ANSWER + """
http.server.HTTPServer(('127.0.0.1', port), H).handle_request()
""") as server, Tapline("--port", server.port) as t:
        asked = curl(server.url("/last"))
        server.p.wait(10)
        time.sleep(0.2)
        row = one(t.stop(), path="/last")
        equal((row["client_pid"], row["client_comm"]), (asked["pid"], "curl"), "client")
        equal(row["server_pid"], server.pid, "server")
