from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from roomscribe_common.errors import ProblemError
from roomscribe_usage_metering.domain.periods import month_ms


def ms(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1000


@pytest.mark.parametrize(
    ("period", "first", "after"), [("2026-11", (2026, 11), (2026, 12)), ("2026-12", (2026, 12), (2027, 1))]
)
def test_a_month_runs_to_the_first_moment_of_the_next(
    period: str, first: tuple[int, int], after: tuple[int, int]
) -> None:
    assert month_ms(period) == (ms(*first), ms(*after))


@given(st.integers(1970, 9000), st.integers(1, 12))
def test_months_follow_each_other_without_a_gap(year: int, month: int) -> None:
    following = f"{year + month // 12:04}-{month % 12 + 1:02}"
    assert month_ms(f"{year:04}-{month:02}")[1] == month_ms(following)[0]


@pytest.mark.parametrize("period", ["2026-13", "2026-00", "2026", "", "november", "9999-12", "2026-11-01", "२०२६-११"])
def test_what_is_no_month_is_refused_by_name(period: str) -> None:
    with pytest.raises(ProblemError) as refused:
        month_ms(period)
    assert refused.value.problem.status == 422
    assert [error.field for error in refused.value.problem.errors] == ["period"]
