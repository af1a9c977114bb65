"""Every figure of the two sources, exact to the cent."""

from typing import Any

import pytest
from roomscribe_usage_metering.pricing.books import built_in

from .asking import BUILD, DAY, SCALE, SHIP, asked, line, modelled, notice, other


def test_the_worked_example_is_1440_by_its_steps() -> None:
    answer = asked()
    steps = {one.meter: (one.quantity, one.allowance, one.overage, one.unit_price, one.amount) for one in answer.lines}
    assert steps == {
        "plan_base": ("1", "0", "1", "500", "500.00"),
        "webrtc_participant_minutes": ("540000", "1500000", "0", "0.0004", "0.00"),
        "agent_session_minutes": ("90000", "50000", "40000", "0.01", "400.00"),
        "stt_audio_minutes": ("90000", "0", "90000", "0.006", "540.00"),
    }
    assert (answer.currency, answer.total) == ("USD", "1440.00")
    assert (answer.per_meeting, answer.per_hour, answer.per_participant_minute) == ("0.72", "0.96", "0.002667")
    assert asked(stt={"usd_per_minute": "0"}).total == "900.00"


TOTALS: list[tuple[dict[str, Any], str]] = [
    ({"mode": "copilot"}, "4140.00"),
    ({"mode": "copilot", "tts": {"talk_share": "0.1"}}, "1710.00"),
    ({"stt": {"basis": "per_track"}}, "3600.00"),
    ({"use_model_credit": True}, "1390.00"),
    ({"bandwidth": {}}, "1558.50"),
    ({"plan": SHIP}, "1635.00"),
    ({"plan": SHIP, "stt": {"usd_per_minute": "0"}}, "1095.00"),
    ({"plan": SHIP, "bandwidth": {}}, "2107.20"),
    ({"agents_on": "own"}, "1040.00"),
    ({"plan": SHIP, "agents_on": "own"}, "785.00"),
    ({"durations": "spread"}, "1450.00"),
    ({"plan": "recall-ai", "stt": {"usd_per_minute": "0"}}, "750.00"),
]


@pytest.mark.parametrize(("changes", "total"), TOTALS)
def test_the_article_with_one_thing_changed(changes: dict[str, Any], total: str) -> None:
    assert asked(**changes).total == total


def test_the_quantities_behind_the_changed_totals() -> None:
    assert line(asked(bandwidth={}), "downstream_gb").quantity == "4185"
    assert line(asked(bandwidth={}), "downstream_gb").amount == "118.50"
    assert line(asked(mode="copilot"), "tts_audio_minutes").amount == "2700.00"
    assert line(asked(mode="copilot", tts={"talk_share": "0.1"}), "tts_audio_minutes").amount == "270.00"
    tracks = line(asked(stt={"basis": "per_track"}), "stt_audio_minutes")
    assert (tracks.quantity, tracks.amount) == ("450000", "2700.00")
    spread = asked(durations="spread")
    assert line(spread, "webrtc_participant_minutes").quantity == "546000"
    assert line(spread, "agent_session_minutes").quantity == "91000"
    recall = line(asked(plan="recall-ai"), "recording_hours")
    assert (recall.quantity, recall.amount) == ("1500", "750.00")


def test_talking_is_2_875_times_as_dear() -> None:
    answer = asked()
    assert other(answer, "mode-copilot").total == "4140.00"
    assert 1440 * 2.875 == 4140


def test_the_peak_is_26_meetings_and_ship_holds_20() -> None:
    answer = asked()
    at_once = answer.concurrency
    assert (at_once.mean_meetings, at_once.peak_meetings, at_once.connections) == ("8.52", 26, 156)
    ship = other(answer, SHIP)
    assert (ship.total, ship.serves) == ("1635.00", False)
    assert ship.why[0] == "cannot serve: 26 agent sessions at once, LiveKit Cloud Ship allows 20"


def test_the_voice_stack_is_7_35_cents_a_minute() -> None:
    rate = {"usd_per_minute": "0.01"}
    stack = asked(
        mode="copilot",
        stt={"usd_per_minute": "0.0058"},
        llm={"usd_per_minute": "0.0077"},
        telephony=rate,
        observability=rate,
    ).agent_minute
    assert stack is not None
    assert {one.component: one.usd_per_minute for one in stack.components} == {
        "agent_session": "0.01",
        "stt": "0.0058",
        "tts": "0.03",
        "llm": "0.0077",
        "telephony": "0.01",
        "observability": "0.01",
    }
    assert stack.total == "0.0735"


def test_one_more_hour_of_listening_is_96_cents() -> None:
    minute = asked().agent_minute
    assert minute is not None
    assert (minute.total, minute.per_hour) == ("0.016", "0.96")


@pytest.mark.parametrize("chosen", [SHIP, SCALE])
def test_ship_and_scale_cost_the_same_at_three_quantities(chosen: str) -> None:
    found = {one.meter: (one.quantity, one.total) for one in asked(plan=chosen).meter_break_evens}
    assert found == {
        "agent_session_minutes": ("50000", "500.00"),
        "webrtc_participant_minutes": ("1050000", "500.00"),
        "downstream_gb": ("9000", "1100.00"),
    }


def test_the_plans_are_the_ones_that_were_read() -> None:
    terms = {name: built_in().plan(name, DAY).terms for name in (BUILD, SHIP, SCALE)}
    assert [(str(t.base), t.hard_cap, str(t.model_credit)) for t in terms.values()] == [
        ("0", True, "2.50"),
        ("50", False, "5"),
        ("500", False, "50"),
    ]
    ceilings = [(t.ceilings.agent_sessions, t.ceilings.connections) for t in terms.values()]
    assert ceilings == [(5, 100), (20, 1000), (600, 5000)]
    included = [
        [str(t.rates[m].included) for m in ("webrtc_participant_minutes", "agent_session_minutes", "downstream_gb")]
        for t in terms.values()
    ]
    assert included == [["5000", "1000", "50"], ["150000", "5000", "250"], ["1500000", "50000", "3000"]]


def test_where_the_article_contradicts_itself_the_answer_says_so() -> None:
    answer = asked()
    assert "its words are not" in notice(answer, "agent_session_minutes").text
    assert "40,000 agent minutes are beyond the 50,000 included" in notice(answer, "agent_session_minutes").text
    totals = {one.about: one.total for one in answer.notices}
    assert totals["stt.basis"] == "3600.00"
    assert totals["stt.usd_per_minute"] == "1422.00"
    assert totals["use_model_credit"] == "1390.00"
    assert totals["bandwidth"] == "1558.50"
    assert totals["durations"] == "1450.00"
    assert {"bandwidth", "the plan's model credit", "the language model"} <= {*answer.left_out}
    assert notice(asked(mode="copilot"), "tts.talk_share").total == "1710.00"


def test_nothing_is_said_of_an_allowance_that_holds() -> None:
    assert not any(one.about == "agent_session_minutes" for one in asked(meetings=1000).notices)


def test_the_cost_model_of_nothing_but_defaults() -> None:
    answer = modelled()
    assert (answer.monthly, answer.annual, answer.margin) == ("1036.60", "12439.20", "22560.80")
    assert answer.margin_percent == "64.46"
    assert (answer.fleet_annual, answer.fleet_revenue, answer.fleet_margin) == ("310980.00", "875000.00", "564020.00")
    assert answer.whole_dollars == {
        "monthly": "1037",
        "annual": "12439",
        "margin": "22561",
        "margin_percent": "64",
        "fleet_annual": "310980",
        "fleet_revenue": "875000",
        "fleet_margin": "564020",
    }
    assert {one.item: one.amount for one in answer.lines} == {
        "livekit_nodes": "175.20",
        "agent_nodes": "146.00",
        "system_nodes": "73.00",
        "control_plane": "75.00",
        "redis": "50.00",
        "load_balancer": "20.00",
        "storage_logs": "30.00",
        "observability": "30.00",
        "egress": "437.40",
    }
    sizes = answer.sizes
    assert (sizes.peak_users, sizes.sessions, sizes.participants, sizes.egress_gb) == ("100", 25, "150", "4860")
    assert (sizes.livekit_nodes, sizes.agent_nodes, sizes.system_nodes) == (1, 1, 1)


@pytest.mark.parametrize(
    ("cloud", "month", "year", "percent", "fleet"),
    [
        ("aws", "948.34", "11380.03", "67", "284501"),
        ("azure", "940.09", "11281.03", "68", "282026"),
        ("gcp", "945.20", "11342.40", "68", "283560"),
    ],
)
def test_the_presets_are_marked_as_placeholders(cloud: str, month: str, year: str, percent: str, fleet: str) -> None:
    answer = modelled(cloud=cloud)
    assert (answer.monthly, answer.annual) == (month, year)
    assert (answer.whole_dollars["margin_percent"], answer.whole_dollars["fleet_annual"]) == (percent, fleet)
    assert answer.placeholder
    assert "placeholders" in notice(answer, "cloud").text


def test_two_nodes_in_each_pool_leave_51_percent() -> None:
    two = {"ha_floor_livekit": 2, "ha_floor_agent": 2, "system_nodes": 2}
    answer = modelled(capacity=two)
    assert (answer.monthly, answer.annual, answer.margin) == ("1430.80", "17169.60", "17830.40")
    assert answer.whole_dollars["margin_percent"] == "51"
    assert next(one for one in modelled().variants if one.id == "ha-floor-2").monthly == "1430.80"


def test_a_shared_cluster_by_our_own_formula() -> None:
    answer = modelled(clusters="shared")
    assert answer.monthly == "654.67"
    assert "does not confirm" in notice(answer, "clusters").text
    shared = next(one for one in modelled().variants if one.id == "shared")
    assert (shared.monthly, shared.difference_percent) == ("654.67", "-36.8")


def test_self_hosting_with_speech_to_text_is_a_near_tie_with_scale() -> None:
    assert modelled(extras={"models_usd_per_month": "540"}).all_in_monthly == "1576.60"


@pytest.mark.parametrize(("mbps", "hours"), [("0.9", "80"), ("1.2", "60"), ("1.5", "48"), ("0.45", "160"), ("1", "72")])
def test_only_the_product_of_bit_rate_and_hours_counts(mbps: str, hours: str) -> None:
    assert modelled(network={"media_mbps_per_participant": mbps, "usage_hours_per_month": hours}).monthly == "1036.60"


@pytest.mark.parametrize(("users", "percent"), [(500, 20), (2000, 5)])
def test_only_the_users_at_the_peak_count(users: int, percent: int) -> None:
    assert modelled(demand={"total_users": users, "peak_concurrency_pct": percent}).monthly == "1036.60"


def test_the_note_takers_profile_has_20_sessions_and_120_participants() -> None:
    sizes = modelled(profile="meeting_notetaker").sizes
    assert (sizes.sessions, sizes.participants) == (20, "120")


def test_the_cost_model_says_where_its_whole_dollars_do_not_add_up() -> None:
    answer = modelled()
    assert "lines add up to 1,036 and the month is 1,037" in notice(answer, "whole_dollars").text
    assert "(310,975)" in notice(answer, "fleet_annual").text
    assert "120 hours" in notice(answer, "network.usage_hours_per_month").text
    assert "one node of a pool" in notice(answer, "capacity.ha_floor_livekit").text
    assert "neither labour" in notice(answer, "extras").text
