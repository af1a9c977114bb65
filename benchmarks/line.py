"""The straight line through measurements, and how far they are from it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Line:
    """`base` is what is there without any, `each` what one more adds."""

    base: float
    each: float

    def at(self, count: float) -> float:
        """What the line says for so many."""
        return self.base + self.each * count


def fit(points: Sequence[tuple[float, float]]) -> Line:
    """By least squares; needs two different counts."""
    xs, ys = (np.array([point[axis] for point in points], float) for axis in (0, 1))
    each, base = np.polyfit(xs, ys, 1)
    return Line(float(base), float(each))


def bend_percent(points: Sequence[tuple[float, float]]) -> float:
    """How far the measurement that is farthest from the line is off, in percent of the largest measurement."""
    line = fit(points)
    return 100 * max(abs(y - line.at(x)) for x, y in points) / max(abs(y) for _, y in points)
