"""Plots as inline SVG: no script, nothing loaded from elsewhere, readable in light and dark."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from html import escape

WIDTH = 760
COLOURS = ("c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8")
"""CSS classes of the page, in the order series take them."""


@dataclass(frozen=True, slots=True)
class Series:
    """A line: points with increasing x; from `dashed_from` on it is drawn as not to be had."""

    name: str
    points: Sequence[tuple[Decimal, Decimal]]
    dashed_from: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on the x axis worth a word."""

    x: Decimal
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar from `start` to `end`, its name before it and `text` behind it."""

    name: str
    start: Decimal
    end: Decimal
    text: str
    strong: bool = False
    muted: bool = False


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the drawing is: pixels of the plot's corners, and the values at its ends."""

    left: float
    right: float
    top: float
    bottom: float
    most_x: Decimal
    most_y: Decimal

    def x(self, value: Decimal) -> float:
        return self.left + float(value / self.most_x) * (self.right - self.left)

    def y(self, value: Decimal) -> float:
        return self.bottom - float(value / self.most_y) * (self.bottom - self.top)


def thousands(value: Decimal) -> str:
    """A number for an axis: no decimals unless it is small."""
    return f"{value:,.0f}" if value >= 10 or value == value.to_integral_value() else f"{value:,.2f}"


def ticks(most: Decimal, about: int = 5) -> list[Decimal]:
    """Round numbers from 0 to `most` or just above."""
    if most <= 0:
        return [Decimal(0), Decimal(1)]
    raw = most / about
    power = Decimal(1).scaleb(raw.adjusted())
    step = next(
        m * power for m in (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10)) if m * power >= raw
    )
    count = int((most / step).to_integral_value(ROUND_CEILING))
    return [step * number for number in range(count + 1)]


def lines(series: Sequence[Series], x_label: str, marks: Sequence[Mark] = (), *, stacked: bool = False) -> str:
    """A line chart, or areas on top of each other; its legend stands above it."""
    xs = [x for one in series for x, _ in one.points]
    ys = [y for one in series for _, y in one.points]
    x_ticks, y_ticks = ticks(max(xs, default=Decimal(1))), ticks(max(ys, default=Decimal(1)))
    frame = _Frame(64, WIDTH - 20, 16, 300, max(xs, default=Decimal(1)) or Decimal(1), y_ticks[-1])
    shown = [tick for tick in x_ticks if tick <= frame.most_x]
    parts = [*_grid(frame, shown, y_ticks, x_label)]
    drawn = list(enumerate(series))
    for number, one in reversed(drawn) if stacked else drawn:
        parts.append(_area(frame, one, COLOURS[number % 8]) if stacked else _line(frame, one, COLOURS[number % 8]))
    parts += [_mark(frame, mark, level) for level, mark in enumerate(marks)]
    legend = _legend([one.name for one in series])
    return legend + _svg(340, "".join(parts), f"{', '.join(one.name for one in series)} against {x_label}")


def _grid(frame: _Frame, xs: Sequence[Decimal], ys: Sequence[Decimal], x_label: str) -> list[str]:
    parts: list[str] = []
    for tick in ys:
        y = frame.y(tick)
        parts.append(f'<line class="grid" x1="{frame.left}" x2="{frame.right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="tick" x="{frame.left - 8}" y="{y + 4:.1f}" text-anchor="end">${thousands(tick)}</text>'
        )
    for tick in xs:
        parts.append(_text(frame.x(tick), frame.bottom + 18, thousands(tick), "tick", "middle"))
    parts.append(_text((frame.left + frame.right) / 2, frame.bottom + 36, x_label, "label", "middle"))
    return parts


def _line(frame: _Frame, one: Series, colour: str) -> str:
    cut = one.dashed_from
    solid = [point for point in one.points if cut is None or point[0] <= cut]
    rest = [point for point in one.points if cut is not None and point[0] >= cut]
    parts = [f'<polyline class="line s-{colour}" points="{_points(frame, solid)}"/>'] if len(solid) > 1 else []
    if len(rest) > 1:
        parts.append(f'<polyline class="line dashed s-{colour}" points="{_points(frame, rest)}"/>')
    return "".join(parts)


def _area(frame: _Frame, one: Series, colour: str) -> str:
    if not one.points:
        return ""
    first, last = one.points[0][0], one.points[-1][0]
    outline = [(first, Decimal(0)), *one.points, (last, Decimal(0))]
    return f'<polygon class="f-{colour}" points="{_points(frame, outline)}"/>'


def _points(frame: _Frame, points: Sequence[tuple[Decimal, Decimal]]) -> str:
    return " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in points)


def _mark(frame: _Frame, mark: Mark, level: int) -> str:
    x = frame.x(mark.x)
    end, shift = ("end", -6) if x > (frame.left + frame.right) / 2 else ("start", 6)
    rule = f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.top}" y2="{frame.bottom}"/>'
    return rule + _text(x + shift, frame.top + 10 + 16 * (level % 4), mark.text, "label", end)


def bars(rows: Sequence[Bar], *, middle: Decimal | None = None, colour: str = "c1") -> str:
    """Bars one below the other on one scale; `middle` draws a line there and colours what lies below it otherwise."""
    if not rows:
        return "<p>Nothing to show.</p>"
    names = min(max(len(row.name) for row in rows) * 7.0 + 12, 330)
    low, high = min(min(row.start, row.end) for row in rows), max(max(row.start, row.end) for row in rows)
    low = min(low, Decimal(0)) if middle is None else low
    span, right = (high - low) or Decimal(1), WIDTH - 170
    height, parts = 28, list[str]()

    def x(value: Decimal) -> float:
        return names + float((value - low) / span) * (right - names)

    for number, row in enumerate(rows):
        y = 6 + number * height
        parts.append(_text(names - 10, y + 14, row.name, "strong" if row.strong else "name", "end"))
        parts += _pieces(row, x, y, middle, "c8" if row.muted else colour)
        parts.append(_text(max(x(row.start), x(row.end)) + 8, y + 14, row.text, "strong" if row.strong else "name"))
    if middle is not None:
        parts.append(
            f'<line class="mark" x1="{x(middle):.1f}" x2="{x(middle):.1f}" y1="0" y2="{len(rows) * height + 6}"/>'
        )
    return _svg(len(rows) * height + 12, "".join(parts), ", ".join(f"{row.name} {row.text}" for row in rows))


def _pieces(row: Bar, x: Callable[[Decimal], float], y: int, middle: Decimal | None, colour: str) -> list[str]:
    low, high = sorted((row.start, row.end))
    if middle is None or not low < middle < high:
        below = middle is not None and high <= middle
        return [_rect(x(low), x(high), y, "c2" if below else colour)]
    return [_rect(x(low), x(middle), y, "c2"), _rect(x(middle), x(high), y, colour)]


def _rect(left: float, right: float, y: int, colour: str) -> str:
    return f'<rect class="f-{colour}" x="{left:.1f}" y="{y}" width="{max(right - left, 1):.1f}" height="20" rx="2"/>'


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _legend(names: Sequence[str]) -> str:
    items = "".join(f'<li><i class="b-{COLOURS[n % 8]}"></i>{escape(name)}</li>' for n, name in enumerate(names))
    return f'<ul class="legend">{items}</ul>'


def _svg(height: float, inner: str, title: str) -> str:
    head = f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title[:400], quote=True)}">'
    return f"{head}{inner}</svg>"
