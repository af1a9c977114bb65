"""Percentiles of what was measured."""

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest measurement that `percent` of all are not above: the nearest rank. Raises `ValueError` for none."""
    if not values:
        raise ValueError("nothing was measured")
    rank = max(1, math.ceil(len(values) * percent / 100))
    return sorted(values)[rank - 1]


def spread(values: Sequence[float], digits: int = 3) -> dict[str, float]:
    """How many there are and how they lie, rounded; of few, a high percentile is the worst.

    Raises `ValueError` for none.
    """
    shares = {"p50": 50, "p95": 95, "p99": 99, "worst": 100}
    return {"n": len(values), **{name: round(percentile(values, share), digits) for name, share in shares.items()}}
