"""Draws messages a second against the round-trip time as an SVG of its own: lines, points and words.

Both axes are logarithmic, with 0 ms standing apart at the left. Colours follow the reader's light or dark
scheme; each line has its name at its end, and ours are thicker, so that nothing hangs on colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 800, 440
LEFT, RIGHT, TOP, BOTTOM = 74, 238, 44, 54
LOWEST, HIGHEST = 10, 100_000
_TRIPS = (0, 1, 5, 20, 50, 100)
_APART = 0.3
"""Where 0 ms stands on the logarithmic axis: as if it were so many milliseconds."""
_LABEL = 15
"""The least distance between two names, in points."""

_STYLE = """\
    text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #24292f }
    .title { font-size: 15px; font-weight: 600 }
    .tick { fill: #57606a }
    .page { fill: #ffffff; stroke: #d0d7de }
    .grid { stroke: #d8dee4; stroke-width: 1 }
    .lead { fill: none; stroke-width: 1; opacity: .6 }
    .line { fill: none; stroke-width: 1.6; stroke-dasharray: 5 3 }
    .ours { stroke-width: 2.8; stroke-dasharray: none }
    .name { font-weight: 600 }
    .c0 { stroke: #0550ae } .c1 { stroke: #1a7f37 } .c2 { stroke: #8250df }
    .c3 { stroke: #57606a } .c4 { stroke: #9a6700 } .c5 { stroke: #cf222e }
    .d0 { fill: #0550ae } .d1 { fill: #1a7f37 } .d2 { fill: #8250df }
    .d3 { fill: #57606a } .d4 { fill: #9a6700 } .d5 { fill: #cf222e }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .tick { fill: #9198a1 }
      .page { fill: #0d1117; stroke: #3d444d }
      .grid { stroke: #2a313c }
      .c0 { stroke: #6cb6ff } .c1 { stroke: #57d364 } .c2 { stroke: #c297ff }
      .c3 { stroke: #b1bac4 } .c4 { stroke: #e3b341 } .c5 { stroke: #ff8078 }
      .d0 { fill: #6cb6ff } .d1 { fill: #57d364 } .d2 { fill: #c297ff }
      .d3 { fill: #b1bac4 } .d4 { fill: #e3b341 } .d5 { fill: #ff8078 }
    }"""

_OPEN = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
    f'height="{HEIGHT}" role="img" aria-labelledby="title">'
)


@dataclass(frozen=True)
class Curve:
    """A client's points: round-trip time in milliseconds, messages a second."""

    title: str
    points: Sequence[tuple[float, float]]
    ours: bool = False


def drawn(curves: Sequence[Curve]) -> str:
    """The whole picture, the same for the same points."""
    parts = [
        _OPEN,
        '  <title id="title">Messages a second against the round-trip time to the relay</title>',
        f"  <style>\n{_STYLE}\n  </style>",
        f'  <rect class="page" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="6"/>',
        f'  <text class="title" x="{LEFT}" y="26">Messages a second, 10 connections, 40 kB each</text>',
        *_axes(),
    ]
    names = _apart([_y(curve.points[-1][1]) for curve in curves])
    for number, (curve, name) in enumerate(zip(curves, names, strict=True)):
        parts += _curve(number % 6, curve, name)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _axes() -> list[str]:
    parts = []
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for power in range(round(math.log10(LOWEST)), round(math.log10(HIGHEST)) + 1):
        y = _y(10**power)
        parts.append(f'  <line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
        parts.append(
            f'  <text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10**power:,}</text>'
        )
    for trip in _TRIPS:
        x = _x(trip)
        parts.append(f'  <line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}"/>')
        parts.append(f'  <text class="tick" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{trip}</text>')
    middle = (LEFT + right) / 2
    parts.append(
        f'  <text class="tick" x="{middle:.0f}" y="{bottom + 38}" text-anchor="middle">'
        "round trip to the relay, ms</text>"
    )
    return parts


def _curve(colour: int, curve: Curve, name: float) -> list[str]:
    places = [(_x(trip), _y(rate)) for trip, rate in curve.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    end, y = places[-1]
    ours = " ours" if curve.ours else ""
    bold = " name" if curve.ours else ""
    return [
        f'  <polyline class="line{ours} c{colour}" points="{path}"/>',
        *(f'  <circle class="d{colour}" cx="{x:.1f}" cy="{y:.1f}" r="3.2"/>' for x, y in places),
        f'  <path class="lead c{colour}" d="M{end + 5:.1f} {y:.1f}L{end + 20:.1f} {name:.1f}"/>',
        f'  <text class="d{colour}{bold}" x="{end + 24:.1f}" y="{name + 4:.1f}">{escape(curve.title)}</text>',
    ]


def _apart(places: Sequence[float]) -> list[float]:
    """The names' heights: near the ends of their lines, in that order, with room between them."""
    order = sorted(range(len(places)), key=lambda number: places[number])
    found = [0.0] * len(places)
    above = -math.inf
    for number in order:
        above = found[number] = max(places[number], above + _LABEL)
    over = above - (HEIGHT - BOTTOM - 2)
    if over > 0:  # the lowest would stand below the axis: push the crowd up
        below = math.inf
        for number in reversed(order):
            below = found[number] = min(found[number], below - _LABEL, HEIGHT - BOTTOM - 2)
    return found


def _x(trip: float) -> float:
    low, high = math.log10(_APART), math.log10(_TRIPS[-1])
    share = (math.log10(max(trip, _APART)) - low) / (high - low)
    return LEFT + 12 + share * (WIDTH - RIGHT - LEFT - 16)


def _y(rate: float) -> float:
    low, high = math.log10(LOWEST), math.log10(HIGHEST)
    share = (math.log10(max(rate, LOWEST)) - low) / (high - low)
    return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
