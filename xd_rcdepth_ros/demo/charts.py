# SPDX-License-Identifier: Apache-2.0
"""Small line charts as SVG text, so that a report needs no plotting library."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

_WIDTH, _HEIGHT = 560.0, 230.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 12.0, 44.0, 28.0


@dataclass(frozen=True)
class Series:
    """One line of a chart.

    Attributes:
        name: What it is.
        values: A value a frame; None leaves a gap.
        colour: CSS colour.
    """

    name: str
    values: Sequence[float | None]
    colour: str


def nice_step(top: float, lines: int = 4) -> float:
    """Return a round distance between grid lines: 1, 2 or 5 times a power of ten."""
    rough = max(top, 1e-9) / lines
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= rough * (1 - 1e-9))


def line_chart(
    title: str, unit: str, series: Sequence[Series], ends: tuple[str, str] | None = None
) -> str:
    """Return a chart from zero up, over the frame's number if not said otherwise, as SVG element.

    Args:
        title: What the chart shows.
        unit: Unit of the values.
        series: Lines.
        ends: What stands below the first and the last value.
    """
    known = [v for line in series for v in line.values if v is not None]
    step = nice_step(max(known, default=1.0))
    top = step * max(1, math.ceil(max(known, default=1.0) / step - 1e-9))
    count = max((len(line.values) for line in series), default=1)

    def x(index: int) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * index / max(1, count - 1)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * value / top

    style = "font-size:14px;fill:var(--ink,#1c2430)"
    parts = [f'<text x="0" y="15" style="{style}">{html.escape(title)}</text>']
    for number in range(round(top / step) + 1):
        level = y(number * step)
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{level:.1f}" y2="{level:.1f}" '
            'style="stroke:var(--line,#dfe4ea)"/>'
            f'<text x="{_LEFT - 6}" y="{level + 4:.1f}" text-anchor="end">{number * step:g}</text>'
        )
    parts.append(f'<text x="{_LEFT - 6}" y="{_TOP - 12}" text-anchor="end">{unit}</text>')
    first, last = (html.escape(end) for end in ends or ("frame 1", f"frame {count}"))
    parts.append(
        f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 6}" text-anchor="end">{last}</text>'
        f'<text x="{_LEFT}" y="{_HEIGHT - 6}">{first}</text>'
    )
    place = _LEFT
    for line in series:
        parts += [
            f'<polyline points="{points}" fill="none" stroke="{line.colour}" stroke-width="2" '
            'stroke-linejoin="round"/>'
            for points in _pieces([(x(i), v) for i, v in enumerate(line.values)], y)
        ]
        parts.append(
            f'<rect x="{place}" y="26" width="14" height="3" fill="{line.colour}"/>'
            f'<text x="{place + 19}" y="31">{html.escape(line.name)}</text>'
        )
        place += 40 + 6.5 * len(line.name)
    return f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img">{"".join(parts)}</svg>'


def _pieces(points: Sequence[tuple[float, float | None]], y: object) -> list[str]:
    """Return the coordinates of each unbroken stretch; a lone point becomes a short dash."""
    assert callable(y)
    stretches: list[list[str]] = [[]]
    for place, value in points:
        if value is None:
            stretches.append([])
        else:
            stretches[-1].append(f"{place:.1f},{y(value):.1f}")
    return [" ".join(s if len(s) > 1 else s * 2) for s in stretches if s]
