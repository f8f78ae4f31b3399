"""Plots of a run as SVG: plain text, with logarithmic axes, and colours for light and dark surroundings."""

import collections
import math
from xml.sax.saxutils import escape

from figures import median, short
from rows import BARE, CONNECTIONS, ENDPOINTS, NANOMSG, NNG, OURS, SIZES, SUBSCRIBERS, TRANSPORTS, ZMQ

Plot = collections.namedtuple("Plot", "file title svg")
# `series`: for each peer its points. `ticks`: what is written below the axis, by its value.
Panel = collections.namedtuple("Panel", "title series ticks")

# Each peer's colour in light and in dark, and its mark, so that colours alone need not tell them apart.
LOOKS = {
    OURS: ("#c2410c", "#fb923c", "circle"),
    NANOMSG: ("#1d4ed8", "#7ab0ff", "square"),
    NNG: ("#047857", "#34d399", "triangle"),
    ZMQ: ("#a21caf", "#e879f9", "diamond"),
    BARE: ("#6b7280", "#9ca3af", "cross"),
}
WIDTH, HEIGHT = 300, 210  # of a panel's axes
COLUMNS, LEFT, RIGHT, TOP, BOTTOM, HEAD = 2, 58, 22, 34, 44, 64

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2937 }
.title { font-size: 16px; font-weight: 600 } .panel { font-weight: 600 } .small { font-size: 11px }
.paper { fill: #ffffff } .frame { fill: none; stroke: #9ca3af } .grid { stroke: #e5e7eb }
.line { fill: none; stroke-width: 1.8 } .ours { stroke-width: 3 } .bare { stroke-dasharray: 5 3 }
"""
DARK = "text { fill: #e5e7eb } .paper { fill: #161b22 } .frame { stroke: #6b7280 } .grid { stroke: #30363d }"


def style():
    lines, dark = STYLE, DARK
    for number, (light, darker, _) in enumerate(LOOKS.values()):
        lines += f".p{number} {{ stroke: {light} }} .m{number} {{ fill: {light} }}\n"
        dark += f" .p{number} {{ stroke: {darker} }} .m{number} {{ fill: {darker} }}"
    return f"<style>{lines}@media (prefers-color-scheme: dark) {{ {dark} }}</style>"


def mark(kind, x, y, number):
    shapes = {"square": "M-4-4h8v8h-8z", "triangle": "M0-5l5 9h-10z", "diamond": "M0-5l5 5l-5 5l-5-5z",
              "cross": "M-1-5h2v4h4v2h-4v4h-2v-4h-4v-2h4z", "circle": "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z"}
    return f'<path class="m{number}" transform="translate({x:.1f} {y:.1f})" d="{shapes[kind]}"/>'


def steps_around(least, most):
    """1, 2, 5, 10 and so on, where they are few enough; else powers of ten."""
    low, high = math.floor(math.log10(least)), math.ceil(math.log10(most))
    fine = [digit * 10.0 ** n for n in range(low, high + 1) for digit in (1, 2, 5)]
    below, above = max(s for s in fine if s <= least), min(s for s in fine if s >= most)
    fine = [s for s in fine if below <= s <= above]
    return fine if 2 <= len(fine) <= 8 else [10.0 ** n for n in range(low, max(high, low + 1) + 1)]


def draw_panel(panel, left, top):
    points = [p for series in panel.series.values() for p in series]
    steps = steps_around(min(y for _, y in points), max(y for _, y in points))
    xs = sorted(panel.ticks)

    def at(x, y):
        across = math.log(x / xs[0]) / math.log(xs[-1] / xs[0])
        up = math.log(y / steps[0]) / math.log(steps[-1] / steps[0])
        return left + WIDTH * across, top + HEIGHT * (1 - up)

    out = [f'<text class="panel" x="{left}" y="{top - 10}">{escape(panel.title)}</text>']
    for y in steps:
        height = at(xs[0], y)[1]
        out.append(f'<line class="grid" x1="{left}" x2="{left + WIDTH}" y1="{height:.1f}" y2="{height:.1f}"/>')
        written = f"{y:g}" if y < 1e3 else short(y).replace(".00", "").replace(".0", "")
        out.append(f'<text class="small" x="{left - 6}" y="{height + 4:.1f}" text-anchor="end">{written}</text>')
    for x, name in panel.ticks.items():
        across = at(x, steps[0])[0]
        out.append(f'<line class="grid" x1="{across:.1f}" x2="{across:.1f}" y1="{top}" y2="{top + HEIGHT}"/>')
        out.append(f'<text class="small" x="{across:.1f}" y="{top + HEIGHT + 16}" text-anchor="middle">{name}</text>')
    out.append(f'<rect class="frame" x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}"/>')
    for number, (peer, (_, _, kind)) in reversed(list(enumerate(LOOKS.items()))):  # this library's on top
        placed = [at(x, y) for x, y in sorted(panel.series.get(peer, []))]
        extra = {OURS: " ours", BARE: " bare"}.get(peer, "")
        if len(placed) > 1:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
            out.append(f'<polyline class="line p{number}{extra}" points="{path}"/>')
        out += [mark(kind, x, y, number) for x, y in placed]
    return out


def draw_all(title, below, panels):
    width = COLUMNS * (LEFT + WIDTH + RIGHT)
    height = HEAD + -(-len(panels) // COLUMNS) * (TOP + HEIGHT + BOTTOM)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
           f'role="img" aria-label="{escape(title)}">', style(),
           f'<rect class="paper" width="{width}" height="{height}" rx="6"/>',
           f'<text class="title" x="16" y="26">{escape(title)}</text>']
    peers = [p for p in LOOKS if any(panel.series.get(p) for panel in panels)]
    step = (width - 24) / max(1, len(peers))
    for place, peer in enumerate(peers):
        number, x = list(LOOKS).index(peer), 22 + place * step
        out += [mark(LOOKS[peer][2], x, 46, number), f'<text x="{x + 10:.1f}" y="50">{escape(peer)}</text>']
    for number, panel in enumerate(panels):
        left = LEFT + number % COLUMNS * (LEFT + WIDTH + RIGHT)
        top = HEAD + TOP + number // COLUMNS * (TOP + HEIGHT + BOTTOM)
        out += draw_panel(panel, left, top)
        out.append(f'<text class="small" x="{left + WIDTH / 2}" y="{top + HEIGHT + 34}" text-anchor="middle">{below}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def panel(title, rows, names, key):
    """`names`: the rows by their place on the axis, with what is written there."""
    series = {}
    for peer in LOOKS:
        found = ((x, median(rows.get(name), peer, key)) for x, (name, _) in names.items())
        series[peer] = [(x, y) for x, y in found if y]
    drawn = {x for points in series.values() for x, _ in points}
    return Panel(title, series, {x: written for x, (_, written) in names.items()}) if len(drawn) > 1 else None


def draw(measured):
    """All plots that the rows of a run are enough for."""
    rows = {m["row"]: m for m in measured}
    written = {"64B": "64 B", "1KiB": "1 KiB", "8KiB": "8 KiB", "64KiB": "64 KiB", "1MiB": "1 MiB"}

    def by_size(pattern):
        return {t: {bytes_: (pattern.format(t, s), written[s]) for s, bytes_ in SIZES.items()}
                for t in reversed(TRANSPORTS)}

    def name(transport):
        return "ws (bare: tcp)" if transport == "ws" else transport

    alone = {1: ("rtt/tcp/64B/reqrep/pinned", "1")}
    grown = {unit: alone | {n: (f"rtt/tcp/64B/reqrep/{n}{unit}/pinned", f"{n:,}") for n in counts}
             for unit, counts in (("conns", CONNECTIONS), ("endpoints", ENDPOINTS))}
    subscribers = {n: (f"fan/tcp/64B/pubsub/{n}subs{{}}", str(n)) for n in SUBSCRIBERS}
    wanted = [
        ("latency.svg", "Round trip on one core, PAIR: one way, microseconds", "size of a message",
         [panel(name(t), rows, names, "p50_us") for t, names in by_size("rtt/{}/{}/pair/pinned").items()]),
        ("throughput.svg", "Stream, PUSH/PULL: megabytes per second", "size of a message",
         [panel(name(t), rows, names, "mb_per_s") for t, names in by_size("stream/{}/{}/pushpull").items()]),
        ("fanout.svg", "PUB to many SUBs over tcp, 64 B: delivered messages per second", "subscribers",
         [panel(title, rows, {n: (row.format(flag), text) for n, (row, text) in subscribers.items()}, "msgs_per_s")
          for title, flag in (("all cores", ""), ("one core", "/pinned"))]),
        ("connections.svg", "REQ/REP over tcp, 64 B, each message on the next connection: CPU per message, us",
         "of one socket", [panel(title, rows, grown[unit], "cpu_us")
                           for title, unit in (("connections to one endpoint", "conns"), ("endpoints", "endpoints"))]),
    ]
    made = []
    for file, title, below, panels in wanted:
        panels = [p for p in panels if p]
        if panels:
            made.append(Plot(file, title, draw_all(title, below, panels)))
    return made
