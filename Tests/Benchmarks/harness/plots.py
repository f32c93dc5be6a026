"""Drawings of a run, as SVG that is written here: no library is needed, and both light and dark surroundings do."""

import collections
import html
import math
import pathlib
import statistics

WIDTH, HEIGHT = 820, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 50, 60
COLOURS = ["#2f86c9", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#7f7f7f"]
DASHES = ["", "7 3", "2 3"]
STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #222 }
    .title { font-size: 16px; font-weight: 600 }
    .grid { stroke: #ddd } .axis { stroke: #555 }
    .background { fill: #fff }
    @media (prefers-color-scheme: dark) {
        text { fill: #ddd } .grid { stroke: #333 } .axis { stroke: #999 } .background { fill: #161616 }
    }
"""


class Axis:
    """From numbers to places; logarithmic, as delays and numbers of streams want, or from 0."""

    def __init__(self, low, high, begin, end, is_logarithmic):
        self.low, self.high = low, high
        self._begin, self._end = begin, end
        self._scale = math.log10 if is_logarithmic else float
        self.is_logarithmic = is_logarithmic

    def place(self, value):
        low, high, value = (self._scale(number) for number in (self.low, self.high, min(max(value, self.low), self.high)))
        return self._begin + (self._end - self._begin) * (value - low) / (high - low)

    def ticks(self):
        if self.is_logarithmic:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            numbers = [digit * 10.0 ** power for power in powers for digit in (1, 2, 5)]
        else:
            step = 10 ** math.floor(math.log10(self.high / 2))
            step *= next(factor for factor in (1, 2, 5, 10) if self.high / (step * factor) <= 6)
            numbers = [step * count for count in range(math.floor(self.high / step) + 1)]
        return [number for number in numbers if self.low <= number <= self.high]


def chart(title, across, up, x_title, y_title, lines, y_text=lambda number: f"{number:g}"):
    """`lines` are points by their names."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img">',
        f"<title>{html.escape(title)}</title><style>{STYLE}</style>",
        f'<rect class="background" width="{WIDTH}" height="{HEIGHT}"/>',
        text(LEFT, 26, title, "start", "title"),
    ]
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for number in across.ticks():
        x = across.place(number)
        parts += [rule("grid", x, TOP, x, bottom), text(x, bottom + 20, f"{number:,g}", "middle")]
    for number in up.ticks():
        y = up.place(number)
        parts += [rule("grid", LEFT, y, right, y), text(LEFT - 8, y + 4, y_text(number), "end")]
    parts += [rule("axis", LEFT, bottom, right, bottom), rule("axis", LEFT, TOP, LEFT, bottom)]
    parts += [text((LEFT + right) / 2, HEIGHT - 16, x_title, "middle"), text(LEFT, TOP - 8, y_title, "start")]
    for number, (name, points) in enumerate(lines.items()):
        parts += curve(number, name, [(across.place(x), up.place(y)) for x, y in points])
    return "\n".join([*parts, "</svg>", ""])


def curve(number, name, places):
    pen = f'stroke="{COLOURS[number % len(COLOURS)]}" stroke-width="2" stroke-dasharray="{DASHES[number % len(DASHES)]}"'
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    x, y = WIDTH - RIGHT + 16, TOP + 14 + 22 * number
    return [
        f'<polyline fill="none" {pen} points="{path}"/>', f'<line {pen} x1="{x}" y1="{y - 4}" x2="{x + 28}" y2="{y - 4}"/>',
        text(x + 36, y, name, "start"),
    ]


def rule(kind, x1, y1, x2, y2):
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def text(x, y, words, anchor, kind=""):
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(words)}</text>'


def delays(runs):
    """Within how many milliseconds after the upstream had sent them events came, by percentile. The tail is what is heard: each step
    up is ten times rarer."""
    counts = collections.defaultdict(collections.Counter)
    for run in runs:
        counts[run["peer"]].update(dict(run["histograms_ns"]["later_event"]))
    lines = {peer: tail(of_peer) for peer, of_peer in counts.items() if of_peer}
    if not lines:
        return None
    longest = max(x for points in lines.values() for x, _ in points)
    shortest = min(x for points in lines.values() for x, _ in points)
    rarest = max(y for points in lines.values() for _, y in points)
    return chart(
        "Delay of an event", Axis(shortest, longest * 1.05, LEFT, WIDTH - RIGHT, True),
        Axis(1, max(10, rarest), HEIGHT - BOTTOM, TOP, True), "milliseconds from the upstream's sending to the caller",
        "percentile", lines, lambda rarity: f"{100 - 100 / rarity:.5g} %")


def tail(counts):
    """Points of a delay in milliseconds, and of how many events one is as late or later."""
    total, later, points = sum(counts.values()), sum(counts.values()), []
    for nanoseconds, count in sorted(counts.items()):
        points.append((max(nanoseconds, 1000) / 1e6, total / later))
        later -= count
    return points


def growth(runs):
    """What an event costs, by the number of streams."""
    costs = collections.defaultdict(lambda: collections.defaultdict(list))
    for run in runs:
        costs[run["peer"]][run["options"]["callers"]].append(run["cpu_ns"] / 1000 / max(1, run["printed"]["events"]))
    lines = {
        peer: [(count, statistics.median(found)) for count, found in sorted(of_peer.items())] for peer, of_peer in costs.items()}
    counts = sorted({count for points in lines.values() for count, _ in points})
    if len(counts) < 2:
        return None
    most = max(y for points in lines.values() for _, y in points)
    return chart(
        "CPU per event, as streams grow", Axis(counts[0], counts[-1], LEFT, WIDTH - RIGHT, True),
        Axis(0, most * 1.1, HEIGHT - BOTTOM, TOP, False), "streams open at once", "microseconds for each event", lines)


def draw(record, folder):
    """Those of which something was measured."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, drawing in (
        ("delays.svg", delays([run for run in record.runs if run["figure"] == "events" and run["mode"] == "stream"])),
        ("streams.svg", growth([run for run in record.runs if run["figure"] == "streams"])),
    ):
        if drawing:
            (folder / name).write_text(drawing, encoding="utf-8")
        print(f"{folder / name}" if drawing else f"without {name}: nothing of it was measured")
