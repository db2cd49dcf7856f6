# SPDX-License-Identifier: Apache-2.0
"""Small charts as SVG text: light, dark and sharp at every size, without a plotting library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

_WIDTH, _LEFT, _RIGHT = 380.0, 44.0, 12.0
_PLOT, _BELOW = 150.0, 24.0  # heights of the axes, and of the labels below them
_FEW = 12  # points that are marked


@dataclass(frozen=True)
class Series:
    """One line or one kind of bar.

    Attributes:
        name: What it is.
        values: A value a place; None leaves a gap.
    """

    name: str
    values: Sequence[float | None]


def nice_step(top: float, lines: int = 4) -> float:
    """Return a round distance between grid lines: 1, 2 or 5 times a power of ten."""
    rough = max(top, 1e-9) / lines
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= rough * (1 - 1e-9))


def line_chart(
    title: str, unit: str, series: Sequence[Series], labels: Sequence[str] = (), top: float = 0.0
) -> Markup:
    """Return a chart from zero up as an SVG element.

    Args:
        title: What the chart shows.
        unit: Unit of the values.
        series: Lines over the same places.
        labels: Spread below, from the first place to the last; the frames' numbers if left out.
        top: The axis reaches at least this value.
    """
    count = max((len(line.values) for line in series), default=1)
    labels = labels or ("frame 1", f"frame {count}")
    axes = _Axes(title, unit, series, top)
    inset = 32 if len(labels) == count else 8  # a label below each place, or below the ends

    def x(share: float) -> float:
        return _LEFT + inset + (_WIDTH - _LEFT - _RIGHT - 2 * inset) * share

    anchors = ("start", "end") if inset == 8 else ("middle", "middle")
    for number, text in enumerate(labels):
        anchor = "middle" if 0 < number < len(labels) - 1 else anchors[number > 0]
        axes.label(x(number / max(1, len(labels) - 1)), text, anchor)
    for number, line in reversed([*enumerate(series)]):  # the first one is drawn on top
        points = [(x(i / max(1, count - 1)), v) for i, v in enumerate(line.values)]
        known = [(place, axes.y(v)) for place, v in points if v is not None]
        axes.parts += [
            f'<polyline points="{stretch}" fill="none" stroke="var(--c{number % 6})" '
            'stroke-width="2" stroke-linejoin="round"/>'
            for stretch in _stretches(points, axes)
        ]
        if len(known) <= _FEW:
            axes.parts += [
                f'<circle cx="{place:.1f}" cy="{y:.1f}" r="3.5" fill="var(--c{number % 6})"/>'
                for place, y in known
            ]
    return axes.svg()


def bar_chart(
    title: str, unit: str, series: Sequence[Series], groups: Sequence[str], below: str = ""
) -> Markup:
    """Return bars in groups, from zero up, as an SVG element.

    Args:
        title: What the chart shows.
        unit: Unit of the values.
        series: Values of each group; a bar in each of them.
        groups: What stands below each group.
        below: What the groups are.
    """
    axes = _Axes(title, unit, series, bottom=_BELOW + (18 if below else 0))
    room = (_WIDTH - _LEFT - _RIGHT) / max(1, len(groups))
    width = 0.8 * room / max(1, len(series))
    for place, group in enumerate(groups):
        left = _LEFT + room * (place + 0.1)
        axes.label(left + 0.4 * room, group, "middle")
        axes.parts += [
            f'<rect x="{left + width * number:.1f}" y="{axes.y(value):.1f}" '
            f'width="{0.92 * width:.1f}" height="{axes.floor - axes.y(value):.1f}" '
            f'fill="var(--c{number % 6})"/>'
            for number, line in enumerate(series)
            if (value := line.values[place]) is not None
        ]
    if below:
        axes.text((_LEFT + _WIDTH - _RIGHT) / 2, axes.height - 5, below, "middle")
    return axes.svg()


def span_chart(
    title: str, spans: Mapping[str, Sequence[tuple[float, float, bool]]], end: float, unit: str
) -> Markup:
    """Return when each of some things went on, a row each, as an SVG element.

    Args:
        title: What the chart shows.
        spans: Begin and end of each time, and whether it went well, by the thing's name.
        end: The right end of the axis; the left one is 0.
        unit: Of the times.
    """
    left = 10 + 7 * max(map(len, spans), default=0)
    height = 30 + 16 * len(spans) + _BELOW
    parts = [_title(title)]
    for row, (name, times) in enumerate(spans.items()):
        y = 30 + 16 * row
        parts.append(_text(left - 6, y + 11, name, "end"))
        parts.append(f'<rect x="{left}" y="{y + 14}" width="{_WIDTH - left - _RIGHT}" height="1" ')
        parts.append('fill="var(--line)"/>')
        parts += [
            f'<rect x="{left + (_WIDTH - left - _RIGHT) * first / end:.1f}" y="{y + 1}" '
            f'width="{max(2, (_WIDTH - left - _RIGHT) * (last - first) / end):.1f}" height="12" '
            f'fill="var(--c{3 if well else 5})"/>'
            for first, last, well in times
        ]
    parts += [_text(left, height - 6, "0", "start")]
    parts += [_text(_WIDTH - _RIGHT, height - 6, f"{end:.3g} {unit}", "end")]
    return _svg(parts, height)


class _Axes:
    """Title, legend and grid lines from zero up; more is put into ``parts``."""

    def __init__(
        self,
        title: str,
        unit: str,
        series: Sequence[Series],
        top: float = 0.0,
        bottom: float = _BELOW,
    ) -> None:
        self.parts: list[str] = [_title(title)]
        begin, row = _LEFT, 0
        for number, line in enumerate(series):
            room = 36 + 6.7 * len(line.name)
            if begin > _LEFT and begin + room > _WIDTH:
                begin, row = _LEFT, row + 1
            y = 29 + 18 * row
            colour = f'fill="var(--c{number % 6})"'
            self.parts.append(f'<rect x="{begin}" y="{y}" width="14" height="4" {colour}/>')
            self.text(begin + 19, y + 6, line.name, "start")
            begin += room
        ceiling = 58.0 + 18 * row
        self.floor = ceiling + _PLOT
        self.height = self.floor + bottom
        self.text(_LEFT - 6, ceiling - 14, unit, "end")
        greatest = max([top, *(v for line in series for v in line.values if v is not None)])
        step = nice_step(greatest or 1.0)
        steps = max(1, math.ceil(greatest / step - 1e-9))
        self._scale = _PLOT / (step * steps)
        for number in range(steps + 1):
            level = self.y(number * step)
            self.parts.append(
                f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{level:.1f}" y2="{level:.1f}" '
                'stroke="var(--line)"/>'
            )
            self.text(_LEFT - 6, level + 4, f"{number * step:g}", "end")

    def y(self, value: float) -> float:
        """Return where a value stands."""
        return self.floor - self._scale * value

    def label(self, x: float, text: str, anchor: str) -> None:
        """Write below the axes."""
        self.text(x, self.floor + 17, text, anchor)

    def text(self, x: float, y: float, text: str, anchor: str) -> None:
        """Write a text."""
        self.parts.append(_text(x, y, text, anchor))

    def svg(self) -> Markup:
        """Return the chart."""
        return _svg(self.parts, self.height)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    template = Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>')
    return template.format(x, y, anchor, text)


def _title(text: str) -> str:
    template = Markup('<text x="0" y="15" style="font-size:14px;fill:var(--ink)">{}</text>')
    return template.format(text)


def _svg(parts: Sequence[str], height: float) -> Markup:
    # Texts were escaped by _text; the rest are numbers.
    body = "".join(parts)
    return Markup(f'<svg viewBox="0 0 {_WIDTH:g} {height:g}" role="img">{body}</svg>')  # noqa: S704


def _stretches(points: Sequence[tuple[float, float | None]], axes: _Axes) -> list[str]:
    """Return the coordinates of each unbroken stretch; a lone point becomes a short dash."""
    stretches: list[list[str]] = [[]]
    for place, value in points:
        if value is None:
            stretches.append([])
        else:
            stretches[-1].append(f"{place:.1f},{axes.y(value):.1f}")
    return [" ".join(s if len(s) > 1 else s * 2) for s in stretches if s]
