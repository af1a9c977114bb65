"""What an estimate says it leaves out, what it names next, and which fields it refuses together."""

from typing import Any

import pytest
from roomscribe_common.errors import ProblemError

from .asking import DAY, asked, line, notice
from .test_price_books import BOOK

MODEL, TRAFFIC, EXTRAS = "the language model", "bandwidth", "transcode, SIP and recording"


@pytest.mark.parametrize(
    ("llm", "counted"),
    [
        ({}, False),
        ({"input_tokens_per_meeting": "1000"}, False),
        ({"usd_per_million_output": "1"}, False),
        ({"usd_per_minute": "0.01"}, True),
        ({"output_tokens_per_meeting": "1000", "usd_per_million_output": "1"}, True),
    ],
)
def test_a_language_model_without_a_price_is_left_out(llm: dict[str, str], counted: bool) -> None:
    answer = asked(llm=llm)
    assert (MODEL not in answer.left_out) is counted
    assert ("llm" not in {one.about for one in answer.notices}) is counted


def test_traffic_given_as_a_quantity_is_not_left_out() -> None:
    answer = asked(usage={"downstream_gb": "4000"})
    assert line(answer, "downstream_gb").amount == "100.00"
    assert TRAFFIC not in answer.left_out
    assert EXTRAS in answer.left_out
    assert TRAFFIC not in {one.about for one in answer.notices}
    assert EXTRAS not in asked(usage={"sip_minutes": "1"}).left_out


def test_traffic_that_the_plan_has_no_price_for_is_not_told_as_free() -> None:
    told = notice(asked(book=BOOK, plan="acme-contract"), TRAFFIC)
    assert told.total is None
    assert told.text.endswith("Our contract has no price for it.")
    assert "Total then" not in told.text
    assert TRAFFIC in asked(book=BOOK, plan="acme-contract", bandwidth={}).left_out
    assert notice(asked(), TRAFFIC).total is not None


@pytest.mark.parametrize(
    ("change", "field", "why"),
    [
        ({"meetings": 3000, "peak": {"meetings": 1}}, "peak.meetings", "at least the mean at once, 12.78"),
        ({"peak": {"meetings": 50, "factor": "3"}}, "peak.factor", "beside peak.meetings"),
    ],
)
def test_fields_that_do_not_go_together_are_refused_by_name(change: dict[str, Any], field: str, why: str) -> None:
    with pytest.raises(ProblemError) as refused:
        asked(**change)
    [error] = refused.value.problem.errors
    assert (refused.value.problem.status, error.field) == (422, field)
    assert why in error.detail


def test_a_peak_at_the_mean_of_the_hours_given_is_taken() -> None:
    assert asked(meetings=3000, peak={"meetings": 13}).concurrency.peak_meetings == 13
    assert asked(meetings=3000, peak={"meetings": 4, "hours_per_month": "744"}).concurrency.peak_meetings == 4


def test_the_next_break_even_is_one_that_both_plans_can_serve() -> None:
    versions = [{"version": "a", "base": "0", "rates": {"agent_session_minutes": {"unit_price": "0.1"}}}]
    small = {**BOOK, "versions": [{**versions[0], "ceilings": {"agent_sessions": 1}}]}
    answer = asked(book=small, meetings=1, on=str(DAY))
    passed = [one for one in answer.break_evens if not one.serves]
    assert passed
    assert answer.next_break_even in [one for one in answer.break_evens if one.serves]
    assert passed[0].meetings < 983
