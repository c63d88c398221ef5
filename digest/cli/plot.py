"""Draws a backtest as an SVG: each way of ranking, its difference to the raw counts, its interval.

Colours follow the reader's light or dark scheme, and nothing hangs on colour alone: the point of a way whose
whole interval lies on one side of zero is filled, that of one which may be no different is hollow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from digest.work.backtest import CONFIGURED, NEWEST, Backtest, Way

WIDTH = 820
LEFT, RIGHT, TOP, BOTTOM = 210, 190, 74, 62
_ROW = 34
_STEPS = (1, 2, 2.5, 5, 10)

_STYLE = """\
    text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #24292f }
    .title { font-size: 15px; font-weight: 600 }
    .tick { fill: #57606a }
    .page { fill: #ffffff; stroke: #d0d7de }
    .grid { stroke: #d8dee4; stroke-width: 1 }
    .zero { stroke: #57606a; stroke-width: 1.4; stroke-dasharray: 4 3 }
    .bar { stroke-width: 2.6; stroke-linecap: round }
    .better { stroke: #1a7f37; fill: #1a7f37 } .worse { stroke: #cf222e; fill: #cf222e }
    .same { stroke: #57606a; fill: #ffffff }
    .ours { font-weight: 600 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .tick { fill: #9198a1 }
      .page { fill: #0d1117; stroke: #3d444d }
      .grid { stroke: #2a313c }
      .zero { stroke: #9198a1 }
      .better { stroke: #57d364; fill: #57d364 } .worse { stroke: #ff8078; fill: #ff8078 }
      .same { stroke: #b1bac4; fill: #0d1117 }
    }"""


_OPEN = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
    'height="{height}" role="img" aria-labelledby="title">'
)


def drawn(found: Backtest) -> str:
    """The whole picture, the same for the same figures."""
    compared = found.ways[1:]  # the first are the raw counts, against which all others stand
    # Newest first is so far off that its scale would hide all others.
    scale = [way for way in compared if way.name != NEWEST]
    low = min([0.0, *(way.low for way in scale)])
    high = max([0.0, *(way.high for way in scale)])
    step = _step(max(high - low, 0.002))
    first, last = math.floor(low / step), math.ceil(high / step)
    height = TOP + _ROW * len(compared) + BOTTOM
    span = max(last - first, 1)

    def x(value: float) -> float:
        return LEFT + (value / step - first) / span * (WIDTH - LEFT - RIGHT)

    title = f"{found.newsletter}: {len(found.periods)} past periods, by {found.metric}"
    told = (
        f"Raw counts find what was read most in the end with nDCG@10 {found.ways[0].ndcg:.3f}; "
        "each way against that, with its 95 % interval"
    )
    parts = [
        _OPEN.format(width=WIDTH, height=height),
        f'  <title id="title">{escape(title)}: nDCG@10 of each way of ranking against raw counts</title>',
        f"  <style>\n{_STYLE}\n  </style>",
        f'  <rect class="page" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>',
        f'  <text class="title" x="20" y="28">{escape(title)}</text>',
        f'  <text class="tick" x="20" y="48">{told}</text>',
        f'  <text class="tick" x="{WIDTH - 20}" y="{TOP - 6}" text-anchor="end">nDCG@10, overlap</text>',
    ]
    bottom = height - BOTTOM
    for number in range(first, last + 1):
        at = x(number * step)
        kind = "grid" if number else "zero"
        parts.append(f'  <line class="{kind}" x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{bottom}"/>')
        label = f"{number * step:+.{_decimals(step)}f}" if number else "0"
        parts.append(
            f'  <text class="tick" x="{at:.1f}" y="{bottom + 18}" text-anchor="middle">{label}</text>'
        )
    parts.append(_label(x(0) - 12, bottom + 42, "&#8592; worse than raw counts", "end"))
    parts.append(_label(x(0) + 12, bottom + 42, "better &#8594;", "start"))
    for place, way in enumerate(compared):
        y = TOP + _ROW * (place + 0.5)
        parts += _named(way, y)
        if way.high < first * step:
            parts.append(_label(LEFT, y + 4, f"&#9664; off the scale: {way.difference:+.2f}", "start"))
        else:
            parts += _bar(way, y, [max(LEFT, x(way.low)), x(way.difference), x(way.high)])
    return "\n".join([*parts, "</svg>"]) + "\n"


def _label(x: float, y: float, label: str, anchor: str = "middle") -> str:
    return f'  <text class="tick" x="{x:.1f}" y="{y}" text-anchor="{anchor}">{label}</text>'


def _named(way: Way, y: float) -> list[str]:
    ours = ' class="ours"' if way.name == CONFIGURED else ""
    figures = f"{way.ndcg:.3f}, {way.overlap:.0%}"
    return [
        f'  <text{ours} x="{LEFT - 16}" y="{y + 4:.1f}" text-anchor="end">{escape(way.name)}</text>',
        f'  <text{ours} x="{WIDTH - 20}" y="{y + 4:.1f}" text-anchor="end">{figures}</text>',
    ]


def _bar(way: Way, y: float, at: Sequence[float]) -> list[str]:
    kind = "better" if way.low > 0 else "worse" if way.high < 0 else "same"
    low, middle, high = at
    return [
        f'  <line class="bar {kind}" x1="{low:.1f}" y1="{y:.1f}" x2="{high:.1f}" y2="{y:.1f}"/>',
        f'  <circle class="bar {kind}" cx="{middle:.1f}" cy="{y:.1f}" r="5"/>',
    ]


def _step(span: float) -> float:
    """A round distance between ticks, for about five of them."""
    power = 10.0 ** math.floor(math.log10(span / 5))
    return next(step * power for step in _STEPS if step * power * 5 >= span)


def _decimals(step: float) -> int:
    digits = 1 - math.floor(math.log10(step))
    return digits if abs(round(step, digits - 1) - step) > step / 1000 else digits - 1
