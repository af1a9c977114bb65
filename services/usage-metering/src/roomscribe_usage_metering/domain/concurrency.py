"""How much ran at once. Pure."""

from collections.abc import Iterable


def most_at_once(intervals: Iterable[tuple[int, int]]) -> tuple[int, int] | None:
    """How many of the half-open `[start_ms, end_ms)` ran together at the most, and the first instant they did.

    None if none lasted. One that begins when another ends does not run beside it.
    """
    changes = sorted(
        change for start_ms, end_ms in intervals if start_ms < end_ms for change in ((end_ms, -1), (start_ms, 1))
    )
    running, most, at_ms = 0, 0, 0
    for when, change in changes:
        running += change
        if running > most:
            most, at_ms = running, when
    return (most, at_ms) if most else None
