"""The most that ran at once."""

from hypothesis import given
from hypothesis import strategies as st
from roomscribe_usage_metering.domain.concurrency import most_at_once

from .scenarios import scenarios

intervals = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)).map(lambda one: (one[0], one[0] + one[1])))


@given(intervals)
@scenarios
def test_it_is_what_counting_at_every_instant_finds(given: list[tuple[int, int]]) -> None:
    counts = {at: sum(start <= at < end for start, end in given) for at in range(45)}
    most = max(counts.values())
    first = min(at for at, count in counts.items() if count == most)
    assert most_at_once(given) == ((most, first) if most else None)


def test_who_comes_when_another_goes_is_not_beside_them() -> None:
    assert most_at_once([(0, 10), (10, 20), (10, 15)]) == (2, 10)
    assert most_at_once([(0, 10), (10, 20)]) == (1, 0)
