"""Ticks: the instants at which a line's steps are used, and so the period each is paid in.

A step belongs to the period its instant is in. A line cut at any instants therefore bills in all what it bills whole,
and what is billed of a running line never falls.
"""

from collections.abc import Iterator

from roomscribe_usage_metering.domain.lines import POLICY, Line
from roomscribe_usage_metering.domain.quantise import RULES, quantise


def measured_before(line: Line, at_ms: int) -> int:
    """What had been measured of the line up to an instant, in the meter's unit."""
    if line.parts:
        return sum(amount for when, amount in line.parts if when < at_ms)
    return min(max(at_ms - line.start_ms, 0) * line.per_ms, line.quantity)


def steps_before(line: Line, at_ms: int) -> int:
    """How many of the line's steps were used before an instant."""
    return quantise(line.meter, POLICY, measured_before(line, at_ms))


def measured_between(line: Line, from_ms: int, to_ms: int) -> int:
    """What was measured in `[from_ms, to_ms)`."""
    return measured_before(line, to_ms) - measured_before(line, from_ms)


def steps_between(line: Line, from_ms: int, to_ms: int) -> int:
    """The steps whose ticks are in `[from_ms, to_ms)`."""
    return steps_before(line, to_ms) - steps_before(line, from_ms)


def ticks(line: Line) -> Iterator[int]:
    """The instant of each step, in order: a connection's at start + 60 k s for k = 0, 1, … while it lasted."""
    step = RULES[POLICY][line.meter].step
    if not line.parts:
        yield from (line.start_ms + number * step // line.per_ms for number in range(line.steps))
        return
    used = number = 0
    for at_ms, amount in line.parts:
        used += amount
        for _ in range(number, steps := quantise(line.meter, POLICY, used)):
            yield at_ms
        number = steps
