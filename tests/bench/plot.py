# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A small writer of SVG plots: panels of lines below each other, readable on light and dark pages.
Written here, as axes, a legend and lines are all that is wanted, and a plotting library is large."""

import math
from xml.sax.saxutils import escape

WIDTH, PANEL, LEFT, RIGHT, TOP, BOTTOM = 860, 250, 64, 16, 46, 40
# Each has a contrast of 3:1 and more with white and with a dark page; told apart by the colour-blind too.
COLORS = ("#2f7fd6", "#d1600a", "#1f8f63", "#b34fb0", "#8a7a00", "#c2455a", "#6b7785")
STYLE = """
text { fill: #333; font: 12px system-ui, "DejaVu Sans", sans-serif; }
.title { font-weight: bold; font-size: 13px; }
.grid { stroke: #8888; stroke-width: 0.5; }
.axis { stroke: #888; }
.band { fill: #8882; }
.line { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
@media (prefers-color-scheme: dark) { text { fill: #ccc; } }
"""


def ticks(low, high, wanted=5):
    """Round numbers from low to high, about as many as wanted."""
    step = (high - low) / wanted or 1
    power = 10 ** math.floor(math.log10(step))
    step = power * next(m for m in (1, 2, 5, 10) if step <= m * power * 1.0001)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def number(value):
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


class Panel:
    """Lines over the same x. series: [(name, [(x, y)])]; bands: [(from, to)] of x that are shaded."""

    def __init__(self, title, x_label, series, bands=(), zero=True):
        self.title, self.x_label, self.series, self.bands = title, x_label, series, bands
        points = [point for _, line in series for point in line]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        self.x_low, self.x_high = min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1
        self.y_low = 0 if zero else min(ys)
        self.y_high = max(*ys, self.y_low) + 0.06 * ((max(ys) - self.y_low) or 1)

    def place(self, top):
        """Functions from x and from y to the picture."""
        width, height = WIDTH - LEFT - RIGHT, PANEL - TOP - BOTTOM
        return (lambda x: LEFT + width * (x - self.x_low) / (self.x_high - self.x_low),
                lambda y: top + TOP + height * (1 - (y - self.y_low) / (self.y_high - self.y_low)))

    def axes(self, x, y):
        for low, high in self.bands:
            low, high = max(low, self.x_low), min(high, self.x_high)
            if low < high:
                yield (f'<rect class="band" x="{x(low):.1f}" y="{y(self.y_high):.1f}" '
                       f'width="{x(high) - x(low):.1f}" height="{y(self.y_low) - y(self.y_high):.1f}"/>')
        for value in ticks(self.y_low, self.y_high):
            yield f'<path class="grid" d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}"/>'
            yield f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{number(value)}</text>'
        foot = y(self.y_low)
        for value in ticks(self.x_low, self.x_high, 8):
            yield f'<path class="axis" d="M{x(value):.1f} {foot:.1f}v4"/>'
            yield f'<text x="{x(value):.1f}" y="{foot + 17:.1f}" text-anchor="middle">{number(value)}</text>'
        yield f'<path class="axis" d="M{LEFT} {foot:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text x="{WIDTH / 2}" y="{foot + 33:.1f}" text-anchor="middle">{escape(self.x_label)}</text>'

    def draw(self, top):
        x, y = self.place(top)
        yield f'<text class="title" x="{LEFT}" y="{top + 16}">{escape(self.title)}</text>'
        yield from self.axes(x, y)
        at = LEFT
        for (name, line), color in zip(self.series, COLORS):
            path = "L".join(f"{x(px):.1f} {y(py):.1f}" for px, py in line)
            yield f'<path class="line" stroke="{color}" d="M{path}"/>'
            yield f'<path class="line" stroke="{color}" d="M{at} {top + 31}h18"/>'
            yield f'<text x="{at + 23}" y="{top + 35}">{escape(name)}</text>'
            at += 40 + 7 * len(name)


def svg(label, panels):
    """The whole picture as text; label is what a screen reader says."""
    height = PANEL * len(panels)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
             f'height="{height}" role="img" aria-label="{escape(label)}">', f"<style>{STYLE}</style>"]
    for n, panel in enumerate(panels):
        parts += panel.draw(n * PANEL)
    return "\n".join([*parts, "</svg>"]) + "\n"
