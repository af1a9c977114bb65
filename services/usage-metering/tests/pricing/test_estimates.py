"""What an estimate says besides its total, and what it refuses."""

import json
from typing import Any

import pytest
from pydantic import ValidationError
from roomscribe_common.contracts.pricing.cost_model import CostModelRequest
from roomscribe_common.contracts.pricing.request import EstimateRequest
from roomscribe_common.errors import ProblemError, field_name
from roomscribe_usage_metering.pricing.break_even import crossings, over_meetings
from roomscribe_usage_metering.pricing.options import price

from .asking import ARTICLE, DAY, SCALE, SHIP, asked, line, modelled, notice, other, plan
from .test_price_books import BOOK


def test_every_plan_is_priced_and_says_why_it_loses_or_cannot_serve() -> None:
    answer = asked()
    assert {one.id for one in answer.alternatives if one.kind == "plan"} == {
        "livekit-cloud-build",
        SHIP,
        "livekit-cloud-enterprise",
        "self-hosted",
    }
    assert all(one.why for one in answer.alternatives)
    ship = other(answer, SHIP)
    assert ship.difference == "195.00"
    assert ship.why[1] == (
        "195.00 dearer: agent session minutes +450.00, plan base -450.00, connection minutes +195.00"
    )
    build = other(answer, "livekit-cloud-build")
    assert (build.total, build.serves) == (None, False)
    assert build.why[0] == "cannot serve: 26 agent sessions at once, LiveKit Cloud Build allows 5"
    assert "a hard cap of 5,000 after which requests fail" in " ".join(build.why)
    assert other(answer, "livekit-cloud-enterprise").total is None


def test_those_that_serve_come_first_then_the_cheapest() -> None:
    ranked = [(not one.serves, one.total is None, float(one.total or 0)) for one in asked().alternatives]
    assert ranked == sorted(ranked)


def test_without_a_plan_the_cheapest_that_serves_is_taken() -> None:
    answer = asked(plan=None)
    assert (answer.plan, answer.plan_chosen) == (SCALE, "the cheapest hosted plan that serves")
    assert asked(plan=None, meetings=100).plan == SHIP
    assert asked(plan=None, meetings=18).plan == "livekit-cloud-build"
    crowd = asked(plan=None, meetings=10_000_000)
    assert (crowd.plan, crowd.serves) == (SCALE, False)
    assert "with most room" in crowd.plan_chosen


def test_a_capped_plan_has_no_total_and_a_contract_has_no_price() -> None:
    for chosen in ("livekit-cloud-build", "livekit-cloud-enterprise"):
        answer = asked(plan=chosen)
        assert (answer.total, answer.complete, answer.serves) == (None, False, False)
        assert answer.why_not


def test_within_its_allowances_build_costs_what_the_models_cost() -> None:
    answer = asked(plan="livekit-cloud-build", meetings=18)
    assert (answer.total, answer.serves) == ("4.86", True)


def test_something_without_a_price_makes_the_answer_incomplete() -> None:
    answer = asked(usage={"sip_minutes": "10"})
    assert (answer.total, answer.complete) == ("1440.00", False)
    assert line(answer, "sip_minutes").amount is None


def test_the_next_break_even_is_where_the_two_bills_change_places() -> None:
    answer = asked(meetings=500)
    found = answer.next_break_even
    assert found is not None
    assert (found.below, found.above, found.meetings, found.serves) == (SHIP, SCALE, 983, True)
    request = EstimateRequest.model_validate({**ARTICLE, "on": DAY, "meetings": 982})
    for count, ship_is_cheaper in ((982, True), (983, False)):
        asked_for = request.model_copy(update={"meetings": count})
        bills = [price(plan(name), asked_for).bill.total for name in (SHIP, SCALE)]
        assert (bills[0] < bills[1]) is ship_is_cheaper


@pytest.mark.parametrize("changes", [{}, {"use_model_credit": True}, {"bandwidth": {}}, {"mode": "copilot"}])
def test_break_evens_are_those_a_search_by_hand_finds(changes: dict[str, Any]) -> None:
    request = EstimateRequest.model_validate({**ARTICLE, **changes, "on": DAY})
    ship, scale = (over_meetings(plan(name), request) for name in (SHIP, SCALE))
    found = [int(at) for at, _ in crossings(ship, scale)]
    by_hand: list[int] = []
    gap = ship.cost(plan_zero := ship.cost(ship.corners[0]) * 0) - scale.cost(plan_zero)
    for count in range(1, 3000):
        at = plan_zero + count
        after = ship.cost(at) - scale.cost(at)
        if (gap < 0) != (after < 0):
            by_hand.append(count - 1 if after else count)
        gap = after
    assert found == by_hand


def test_sensitivity_is_widest_first_and_names_each_input() -> None:
    answer = asked(mode="copilot", bandwidth={})
    swings = [float(one.swing) for one in answer.sensitivity]
    assert swings == sorted(swings, reverse=True)
    moved = {one.input: (one.low, one.high, one.total_low, one.total_high) for one in answer.sensitivity}
    assert moved["tts.usd_per_minute"] == ("0.024", "0.036", "3718.50", "4798.50")
    assert moved["tts.talk_share"][:2] == ("0.8", "1")
    assert moved["meetings"][:2] == ("1600", "2400")
    assert "humans" in moved


def test_an_effort_is_paid_back_in_months_or_never() -> None:
    found = {one.option: one for one in asked(build={"effort_usd": "30000"}).build_or_buy}
    assert found[SCALE].months is None
    assert found[SCALE].text.startswith("never: LiveKit Cloud Scale costs 150.00 a month more than Recall.ai")
    assert found[f"{SCALE}+own-agents"].months == "120"
    assert (found["self-hosted"].monthly, found["self-hosted"].months) == ("1139.20", "198.9")


def test_a_cluster_of_ones_own_pays_for_people_and_traffic_if_they_are_given() -> None:
    people = {"people_hours_per_month": "10", "usd_per_people_hour": "100"}
    answer = asked(plan="self-hosted", self_hosted=people, bandwidth={})
    assert line(answer, "people_hours").amount == "1000.00"
    assert line(answer, "downstream_gb").amount == "376.65"
    assert answer.total == "2515.85"


def test_each_assumption_has_its_source() -> None:
    answer = asked(bandwidth={"human_mbps": "2"})
    found = {one.name: (one.value, one.provenance) for one in answer.assumptions}
    assert found["bandwidth.human_mbps"] == ("2", "given")
    assert found["bandwidth.agent_mbps"] == ("0.2", "chosen")
    assert found["peak.factor"] == ("3", "chosen")
    assert found["meetings"] == ("2000", "given")
    assert found[f"{SCALE}.agent_session_minutes"] == ("0.01 beyond 50000", "list")
    assert all(one.source for one in answer.assumptions)
    assert all(one.source for one in modelled(cloud="aws").assumptions)


def test_a_book_of_ones_own_is_priced_like_any_other() -> None:
    answer = asked(book=BOOK, plan="acme-contract")
    assert line(answer, "agent_session_minutes").amount == "719.92"
    assert answer.plan_version == "a"
    assert asked(book=BOOK, plan="acme-contract", on="2026-07-01").plan_version == "b"


def test_a_book_in_another_currency_is_refused() -> None:
    with pytest.raises(ProblemError) as refused:
        asked(book={**BOOK, "currency": "EUR"}, plan="acme-contract")
    [error] = refused.value.problem.errors
    assert (error.field, error.detail) == ("book.currency", "must be USD, for the other prices are; it is EUR")


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"meetings": -1}, "meetings", "must be a whole number, 0 to 1000000000; it is -1"),
    ({"meetings": 10**30}, "meetings", "must be a whole number, 0 to 1000000000; it is 10"),
    ({"meetings": 1e30}, "meetings", "must be a whole number, 0 to 1000000000; it is 1e+30"),
    ({"meetings": 1.5}, "meetings", "must be a whole number"),
    ({"meetings": True}, "meetings", "must be a whole number"),
    ({"minutes": "NaN"}, "minutes", "must be a number, above 0 and at most 44640; it is 'NaN'"),
    ({"minutes": 0}, "minutes", "must be above 0 and at most 44640; it is 0"),
    ({"humans": "five"}, "humans", "must be a whole number, 0 to 100000; it is 'five'"),
    ({"stt": {"usd_per_minute": "-0.006"}}, "stt.usd_per_minute", "must be 0 to 1000000; it is '-0.006'"),
    ({"stt": {"usd_per_minute": "1e30"}}, "stt.usd_per_minute", "must be 0 to 1000000; it is '1e30'"),
    ({"tts": {"talk_share": "1.1"}}, "tts.talk_share", "must be 0 to 1; it is '1.1'"),
    ({"stt": {"usd_per_hour": "1"}}, "stt.usd_per_hour", "Extra inputs are not permitted"),
    ({"people": 5}, "people", "Extra inputs are not permitted"),
    ({"usage": {"cups_of_tea": "1"}}, "usage.cups_of_tea", "unknown meter 'cups_of_tea'; the meters are"),
    ({"usage": {"sip_minutes": "-1"}}, "usage.sip_minutes", "must be 0 to 1000000000000000; it is '-1'"),
    ({"currency": "EUR"}, "currency", "Input should be 'USD'"),
    ({"mode": "talk"}, "mode", "Input should be 'listen' or 'copilot'"),
    ({"on": "yesterday"}, "on", "date"),
]


@pytest.mark.parametrize(("change", "field", "why"), BAD, ids=range(len(BAD)))
def test_bad_input_is_refused_by_field_value_and_limit(change: dict[str, Any], field: str, why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        EstimateRequest.model_validate_json(json.dumps({**ARTICLE, **change}))
    [error] = refused.value.errors()
    assert field_name(error["loc"]) == field
    assert why in error["msg"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"demand": {"total_users": -1}}, "demand.total_users"),
        ({"capacity": {"participants_per_livekit_node": 0}}, "capacity.participants_per_livekit_node"),
        ({"network": {"egress_usd_per_gb": "NaN"}}, "network.egress_usd_per_gb"),
        ({"commercial": {"customers": 10**30}}, "commercial.customers"),
        ({"cloud": "ibm"}, "cloud"),
        ({"egress": 1}, "egress"),
    ],
)
def test_bad_input_of_the_cost_model_is_refused_by_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        CostModelRequest.model_validate_json(json.dumps(change))
    [error] = refused.value.errors()
    assert ".".join(map(str, error["loc"])) == field


def test_a_json_number_is_taken_as_it_was_written() -> None:
    assert asked(stt={"usd_per_minute": 0.006}).total == "1440.00"
    assert asked(minutes=45.0, meetings=2000.0).total == "1440.00"


def test_a_request_survives_the_wire() -> None:
    request = EstimateRequest.model_validate(
        {
            **ARTICLE,
            "book": {**BOOK, "versions": [{"version": "a", "base": None}]},
            "bandwidth": {},
            "usage": {"sip_minutes": "1.5"},
        }
    )
    wire = request.model_dump_json(exclude_none=True)
    assert EstimateRequest.model_validate_json(wire) == request


@pytest.mark.parametrize("change", [{"meetings": 0}, {"humans": 0}, {"agents": 0}, {"humans": 0, "agents": 0}])
def test_nothing_at_all_is_priced_too(change: dict[str, Any]) -> None:
    answer = asked(**change, build={"effort_usd": "1"})
    assert answer.total is not None
    assert modelled(demand={"total_users": 0}, commercial={"license_usd_per_year": "0"}).margin_percent is None


def test_the_largest_request_is_priced() -> None:
    most = asked(meetings=10**9, minutes="44640", humans=100_000, agents=1000, mode="copilot", bandwidth={})
    assert most.total is not None
    assert not most.serves


def test_a_day_before_the_prices_were_read_is_noticed() -> None:
    told = notice(asked(on="2026-06-01"), "on")
    assert told.text == (
        "The prices of livekit-cloud-scale@2026-06-02 were read on 2026-06-02. Since when they hold is not known, so "
        "that those of 2026-06-01 may have been others."
    )
    assert not [one for one in asked(on="2026-06-02").notices if one.about == "on"]


def test_a_price_that_says_since_when_it_holds_is_taken_at_its_word() -> None:
    dated = BOOK | {"source": BOOK["source"] | {"read_on": "2026-06-02"}}
    dated["versions"] = [{**BOOK["versions"][0], "valid_from": "2026-01-01"}]
    told = asked(book=dated, plan=BOOK["id"], on="2026-03-01").notices
    assert not [one for one in told if one.about == "on"]
    del dated["versions"][0]["valid_from"]
    assert [one for one in asked(book=dated, plan=BOOK["id"], on="2026-03-01").notices if one.about == "on"]
