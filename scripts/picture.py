#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""scripts/picture.py [TAPLINE]: makes docs/picture.svg, the README's terminal, from a real run.

The demo's traffic (scripts/demo.py) is watched by TAPLINE (build/tapline) on a pseudo-terminal of
120 x 24, until the screen shows a row of each colour. Needs root, as tapline does.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from xml.sax.saxutils import escape

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COLUMNS, LINES = 120, 24
SECONDS = 60  # to wait for the colours
CELL, LINE, FONT = 8, 19, 13.3  # px: a column, a line, the letters
SIDE, BAR = 14, 34  # px: margin, title bar
BACKGROUND, TITLE, TEXT = "#16191f", "#8b93a1", "#d5d9e0"
COLORS = {"31": "#ff7b72", "33": "#e3b341"}
MARKS = ("\033[31m", "\033[33m")
SGR = re.compile(r"\033\[([\d;]*)m")
WORDS = re.compile(r"\S+(?: \S+)*")  # what stands between gaps


def terminal():
    """A pseudo-terminal of that size: (our end, tapline's end)."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    return ours, theirs


def watch(tapline, port):
    """The lines of one full screen of the run: what a person sees who scrolled to its end."""
    ours, theirs = terminal()
    env = {name: os.environ[name] for name in ("PATH", "TZ") if name in os.environ}
    run = subprocess.Popen([tapline, "--port", port], stdin=theirs, stdout=theirs, stderr=theirs,
                           env={**env, "TERM": "xterm-256color"})
    os.close(theirs)
    seen, end = b"", time.monotonic() + SECONDS
    try:
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.5)[0]:
                seen += os.read(ours, 65536)
            lines = seen.decode().replace("\r", "").split("\n")[:-1]
            header = next((line for line in lines if "TIME" in line), None)
            rows = [line for line in lines if re.match(r"\d\d:\d\d:", line)][-(LINES - 2):]
            if len(rows) == LINES - 2 and all(mark in "".join(rows) for mark in MARKS):
                return [header, *rows]
    except OSError:  # EIO: tapline has ended, and why stands in what it said
        pass
    finally:
        run.send_signal(signal.SIGINT)
        run.wait()
        os.close(ours)
    sys.exit(f"picture.py: no full screen in {SECONDS} s; tapline said:\n{seen.decode()}")


def pieces(line):
    """[(first column, text, style)] of a line with colours."""
    column, style, at = 0, "", 0
    for sgr in [*SGR.finditer(line), None]:
        part = line[at:sgr.start() if sgr else len(line)]
        for words in WORDS.finditer(part):
            yield column + words.start(), words[0], style
        column += len(part)
        if sgr:
            style = "" if sgr[1] in ("", "0") else sgr[1]
            at = sgr.end()


def text_of(line, y):
    for column, text, style in pieces(line):
        look = ' font-weight="bold"' if style == "1" else ""
        look += f' fill="{COLORS[style]}"' if style in COLORS else ""
        # The width is told too, so that columns align whatever font there is.
        yield (f'<text x="{SIDE + column * CELL}" y="{y}" textLength="{len(text) * CELL}"'
               f'{look}>{escape(text)}</text>')


def draw(title, lines):
    width = 2 * SIDE + COLUMNS * CELL
    height = BAR + len(lines) * LINE + SIDE
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
           f'width="{width}" height="{height}" role="img" aria-label="{escape(title)}: one row a call">')
    yield "<!-- Made by scripts/picture.py from a real run. -->"
    yield f'<rect width="{width}" height="{height}" rx="8" fill="{BACKGROUND}"/>'
    for x, color in ((20, "#ff5f57"), (38, "#febc2e"), (56, "#28c840")):
        yield f'<circle cx="{x}" cy="17" r="5.5" fill="{color}"/>'
    yield ('<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace" '
           f'font-size="{FONT}" fill="{TEXT}" xml:space="preserve">')
    yield f'<text x="{width / 2}" y="22" text-anchor="middle" fill="{TITLE}">{escape(title)}</text>'
    for n, line in enumerate(lines):
        yield from text_of(line, BAR + 13 + n * LINE)
    yield "</g>\n</svg>"


def main():
    tapline = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build", "tapline")
    demo = subprocess.Popen([sys.executable, os.path.join(ROOT, "scripts", "demo.py")],
                            stderr=subprocess.PIPE, text=True)
    try:
        port = re.search(r"port (\d+)", demo.stderr.readline())[1]
        lines = watch(tapline, port)
    finally:
        demo.terminate()
        demo.wait()
    picture = os.path.join(ROOT, "docs", "picture.svg")
    with open(picture, "w", encoding="utf-8") as f:
        f.write("\n".join(draw(f"sudo tapline --port {port}", lines)) + "\n")
    print(picture)


if __name__ == "__main__":
    main()
