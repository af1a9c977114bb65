"""Counters that only grow: the last reading counts, whichever were lost and in whatever order they came."""

from collections.abc import Iterable

from roomscribe_usage_metering.domain.lines import Part

Reading = tuple[int, int]
"""When it was read, and how much it said."""


def increments(readings: Iterable[Reading]) -> tuple[Part, ...]:
    """What was added when; in all, the largest reading."""
    parts: list[Part] = []
    most = 0
    for at_ms, count in sorted(readings):
        if count > most:
            parts.append((at_ms, count - most))
            most = count
    return tuple(parts)
