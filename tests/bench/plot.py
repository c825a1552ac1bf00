# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Plots as SVG, as text: bars() in groups, and lines() of x and y, for docs/. They bring their own background, so
that they can be read on a light page and on a dark one, and say what each axis is, with its unit."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 920, 400
LEFT, RIGHT, TOP, BOTTOM = 74, 20, 46, 58  # px around the axes; the legend is below them
LEGEND, LETTER = 20, 6.6  # px: a line of it, a letter
COLORS = ("#0b5fa5", "#56a8e8", "#d9731a", "#2c9a5f", "#b3477d", "#8a8f98", "#c3a11b", "#7a5ac2", "#333a45", "#d23b3b")
PAPER, INK, FAINT = "#fbfbfa", "#23272e", "#d8dade"
NO_VALUE = "–"


def number(v):
    """As short as can be read: 0.031, 4.2, 1,250, 1.3 M."""
    if abs(v) >= 1e6:
        return f"{v / 1e6:,.3g} M"
    return f"{v:,.0f}" if abs(v) >= 100 or v == int(v) else f"{v:.3g}"


class Axis:
    """Values to pixels. From 0, unless low says otherwise or log is asked for."""

    def __init__(self, values, pixels, log=False, low=0):
        values = list(values) or [1]
        self.log, self.pixels = log, pixels
        if log:
            small = min((v for v in values if v > 0), default=1)
            self.low, self.high = math.floor(math.log10(small * 0.6)), math.ceil(math.log10(max(*values, small * 10)))
            self.marks = [10.0 ** e for e in range(self.low, self.high + 1)]
        else:
            span = max(values) - low or 1
            step = 10 ** math.floor(math.log10(span))
            step = next(step * f for f in (0.1, 0.2, 0.25, 0.5, 1, 2) if span / (step * f) <= 6)
            self.low = math.floor(low / step) * step
            self.high = math.ceil(max(values) / step - 1e-9) * step
            self.marks = [self.low + step * i for i in range(round((self.high - self.low) / step) + 1)]

    def __call__(self, v):
        start, end = self.pixels
        at = (math.log10(max(v, 10.0 ** self.low)) if self.log else v) - self.low
        return start + (end - start) * at / ((self.high - self.low) or 1)


def text(x, y, words, where="middle", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{where}"{more}>{escape(words)}</text>'


def frame(title, unit, y, below):
    """What both kinds share: title, unit and y axis."""
    yield text(LEFT, 20, title, "start", ' font-size="15" font-weight="bold"')
    yield text(LEFT, 38, unit + (", logarithmic" if y.log else ""), "start")
    for mark in y.marks:
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(mark):.1f}" y2="{y(mark):.1f}" stroke="{FAINT}"/>'
        yield text(LEFT - 8, y(mark) + 4, number(mark), "end")
    yield text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 38, below)


def legend(names):
    """Lines of it, and how many."""
    x, n, out = LEFT, 0, []
    for color, name in zip(COLORS, names):
        wide = 30 + len(name) * LETTER
        if x + wide > WIDTH - RIGHT and x > LEFT:
            x, n = LEFT, n + 1
        y = HEIGHT + n * LEGEND
        out += [f'<rect x="{x:.0f}" y="{y - 10}" width="12" height="12" fill="{color}"/>',
                text(x + 17, y, name, "start")]
        x += wide
    return out, n + 1


def drawing(title, parts, names):
    found, n = legend(names)
    height = HEIGHT + n * LEGEND
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
            f'role="img" aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="12" fill="{INK}">')
    paper = f'<rect width="{WIDTH}" height="{height}" rx="8" fill="{PAPER}"/>'
    return "\n".join([head, "<!-- Made by tests/bench/plot.py -->", paper, *parts, *found, "</svg>"]) + "\n"


def bars(title, unit, groups, series, below="", log=False, form=number):
    """series: name -> a value for each group; None has a dash and no bar."""
    y = Axis([v for values in series.values() for v in values if v is not None], (HEIGHT - BOTTOM, TOP + 12), log)
    parts = list(frame(title, unit, y, below))
    room = (WIDTH - LEFT - RIGHT) / len(groups)
    wide = min(64, room * 0.86 / len(series))
    small = min(11, wide / 2.1 + 1.5)  # of the numbers above the bars
    for g, group in enumerate(groups):
        middle = LEFT + room * (g + 0.5)
        parts.append(text(middle, HEIGHT - BOTTOM + 18, group))
        for s, (color, values) in enumerate(zip(COLORS, series.values())):
            x, v = middle + (s - len(series) / 2) * wide, values[g]
            top = y.pixels[0] if v is None else min(y(v), y.pixels[0])
            if v is not None:
                parts.append(f'<rect x="{x + 1:.1f}" y="{top:.1f}" width="{wide - 2:.1f}" '
                             f'height="{y.pixels[0] - top:.1f}" fill="{color}"/>')
            parts.append(text(x + wide / 2, top - 4, NO_VALUE if v is None else form(v), "middle",
                              f' font-size="{small:.1f}"'))
    return drawing(title, parts, series)


def lines(title, unit, series, below="", log=False, from_zero=True):
    """series: name -> [(x, y)], as of samples in time; below says what x is."""
    points = [p for line in series.values() for p in line]
    low = 0 if from_zero else min(p[1] for p in points)
    y = Axis([p[1] for p in points], (HEIGHT - BOTTOM, TOP + 12), log, low)
    x = Axis([p[0] for p in points], (LEFT, WIDTH - RIGHT), low=min(p[0] for p in points))
    parts = list(frame(title, unit, y, below))
    parts += [text(x(mark), HEIGHT - BOTTOM + 18, number(mark)) for mark in x.marks]
    for color, line in zip(COLORS, series.values()):
        way = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in line)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{color}" stroke-width="1.8"/>')
    return drawing(title, parts, series)
