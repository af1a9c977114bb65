"""Measurements and the straight line through each series of them, as a small SVG."""

import math
from collections.abc import Mapping, Sequence

from benchmarks.line import fit

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 640, 360, 60, 170, 40, 46
_COLOURS = ("#1f5fa8", "#c2571a", "#2e7d4f", "#7a4a9e", "#8a8a00")


def plot(title: str, across: str, up: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """One picture; `across` and `up` name the axes, both of which begin at 0."""
    most_x = max(x for points in series.values() for x, _ in points)
    most_y = _round_up(max(y for points in series.values() for _, y in points))

    def place(x: float, y: float) -> tuple[float, float]:
        wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        return round(_LEFT + wide * x / most_x, 1), round(_HEIGHT - _BOTTOM - high * y / most_y, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="22" font-size="14">{title}</text>',
        f'<text x="{_LEFT}" y="{_HEIGHT - 8}">{across}</text>',
        f'<text x="{_LEFT - 4}" y="{_TOP - 6}" text-anchor="end">{up}</text>',
    ]
    for step in range(5):
        x, y = place(0, most_y * step / 4)
        parts.append(f'<path d="M{x} {y}H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{x - 6}" y="{y + 4}" text-anchor="end">{most_y * step / 4:g}</text>')
    for x in sorted({x for points in series.values() for x, _ in points}):
        parts.append(f'<text x="{place(x, 0)[0]}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{x:g}</text>')
    for (name, points), colour in zip(series.items(), _COLOURS, strict=False):
        parts += _one(name, [place(*point) for point in points], colour)
        line = fit(points)
        (x1, y1), (x2, y2) = place(0, max(0.0, line.base)), place(most_x, line.at(most_x))
        parts.append(f'<path d="M{x1} {y1}L{x2} {y2}" stroke="{colour}" stroke-dasharray="4 3"/>')
    return "\n".join([*parts, "</svg>", ""])


def _one(name: str, places: list[tuple[float, float]], colour: str) -> list[str]:
    dots = [f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>' for x, y in places]
    x, y = places[-1]
    return [*dots, f'<text x="{x + 8}" y="{y + 4}" fill="{colour}">{name}</text>']


def _round_up(value: float) -> float:
    """To 1, 2, 4 or 8 times a power of ten, so that quarters of it are short numbers."""
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power >= value)
