"""When the meetings of a series are: rules, time zones, and rules that are no good."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from roomscribe_common.contracts.series import SeriesSpec
from roomscribe_dispatcher.recurrence import BadRecurrence, occurrences


def moments(recurrence: str, join_at: str, time_zone: str = "Europe/Vienna", most: int = 20) -> list[str]:
    spec = SeriesSpec(
        series_id="ser_1",
        room="daily",
        join_at=datetime.fromisoformat(join_at),
        recurrence=recurrence,
        time_zone=time_zone,
    )
    before = spec.join_at - timedelta(seconds=1)
    return [f"{each:%Y-%m-%dT%H:%M}" for each in islice(occurrences(spec, before), most)]


def test_a_meeting_stays_at_its_local_time_when_clocks_change() -> None:
    assert moments("FREQ=WEEKLY;COUNT=3", "2026-10-19T09:30:00+02:00") == [
        "2026-10-19T07:30",
        "2026-10-26T08:30",
        "2026-11-02T08:30",
    ]
    assert moments("FREQ=DAILY;COUNT=2", "2026-03-07T09:00:00-05:00", "America/New_York") == [
        "2026-03-07T14:00",
        "2026-03-08T13:00",
    ]


def test_a_local_time_that_does_not_exist_is_taken_with_the_offset_before_the_change() -> None:
    # In Vienna 2026-03-29 has no 02:30, and 2026-10-25 has it twice.
    assert moments("FREQ=DAILY;COUNT=3", "2026-03-28T02:30:00+01:00") == [
        "2026-03-28T01:30",
        "2026-03-29T01:30",
        "2026-03-30T00:30",
    ]
    assert moments("FREQ=DAILY;COUNT=3", "2026-10-24T02:30:00+02:00") == [
        "2026-10-24T00:30",
        "2026-10-25T00:30",
        "2026-10-26T01:30",
    ]


def test_days_are_those_of_the_zone_and_not_of_utc() -> None:
    # Monday 08:00 in Auckland is Sunday in UTC.
    found = moments("RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=2", "2026-11-30T08:00:00+13:00", "Pacific/Auckland")
    assert found == ["2026-11-29T19:00", "2026-12-06T19:00"]


@pytest.mark.parametrize(
    ("recurrence", "expected"),
    [
        ("FREQ=MONTHLY;BYDAY=-1FR;COUNT=2", ["2026-11-27T09:00", "2026-12-25T09:00"]),
        ("FREQ=MONTHLY;BYMONTHDAY=31;COUNT=2", ["2026-12-31T09:00", "2027-01-31T09:00"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1;COUNT=2", ["2026-12-01T09:00", "2027-01-01T09:00"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,TU;WKST=SU;UNTIL=20261208T090000Z", ["2026-11-22T09:00", "2026-11-24T09:00"]),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=1", ["2028-02-29T09:00"]),
        ("FREQ=YEARLY;BYDAY=MO;COUNT=2", ["2026-11-23T09:00", "2026-11-30T09:00"]),
        ("FREQ=YEARLY;BYMONTH=1;BYDAY=1MO;COUNT=2", ["2027-01-04T09:00", "2028-01-03T09:00"]),
        ("freq=daily;count=1", ["2026-11-22T09:00"]),
    ],
)
def test_rules_mean_what_rfc_5545_says(recurrence: str, expected: list[str]) -> None:
    assert moments(recurrence, "2026-11-22T09:00:00+00:00", "UTC", most=2) == expected


def test_the_first_meeting_is_the_first_that_the_rule_has_from_join_at_on() -> None:
    assert moments("FREQ=WEEKLY;BYDAY=TU;COUNT=1", "2026-11-22T09:00:00+00:00", "UTC") == ["2026-11-24T09:00"]


BAD = [
    ("", "unknown part"),
    ("COUNT=3", "FREQ must be one of DAILY, WEEKLY, MONTHLY, YEARLY"),
    ("every monday", "unknown part"),
    ("FREQ=SECONDLY", "FREQ must be one of"),
    ("FREQ=HOURLY;COUNT=3", "FREQ must be one of"),
    ("FREQ=DAILY;BYHOUR=9,10", "unknown part 'BYHOUR'"),
    ("FREQ=DAILY;COUNT=1001", "COUNT must be a number from 1 to 1000"),
    ("FREQ=DAILY;COUNT=" + "9" * 200, "COUNT must be a number from 1 to 1000"),
    ("FREQ=DAILY;COUNT=0", "COUNT must be a number"),
    ("FREQ=DAILY;COUNT=-1", "COUNT must be a number"),
    ("FREQ=DAILY;COUNT=²", "COUNT must be a number"),
    ("FREQ=DAILY;INTERVAL=0", "INTERVAL must be a number from 1 to 366"),
    ("FREQ=DAILY;UNTIL=20271231", "UNTIL must be in UTC"),
    ("FREQ=DAILY;UNTIL=20271231T090000", "UNTIL must be in UTC"),
    ("FREQ=DAILY;UNTIL=20279931T090000Z", "not an RFC 5545 rule"),
    ("FREQ=DAILY;COUNT=2;UNTIL=20271231T090000Z", "only one of them"),
    ("FREQ=DAILY;FREQ=WEEKLY", "occurs twice"),
    ("FREQ=WEEKLY;BYDAY=XX", "not an RFC 5545 rule"),
    ("FREQ=MONTHLY;BYMONTHDAY=soon", "not an RFC 5545 rule"),
    ("FREQ=MONTHLY;BYSETPOS=999;BYDAY=MO", "not an RFC 5545 rule"),
    ("FREQ=YEARLY;BYDAY=1MO", "numbered BYDAY in a YEARLY rule needs BYMONTH"),
    ("FREQ=YEARLY;BYDAY=20MO", "numbered BYDAY in a YEARLY rule needs BYMONTH"),
    ("FREQ=YEARLY;BYMONTH=12;BYDAY=20MO", "BYDAY has a number above 5"),
    ("FREQ=MONTHLY;BYDAY=1MO,-20MO", "BYDAY has a number above 5"),
    ("FREQ=DAILY\nEXDATE:20261201T090000Z", "FREQ must be one of"),
    ("DTSTART:19970902T090000\nRRULE:FREQ=DAILY", "unknown part"),
    ("FREQ=DAILY;", "unknown part"),
]


@pytest.mark.parametrize(("recurrence", "why"), BAD)
def test_a_rule_that_is_no_good_is_refused_saying_why(recurrence: str, why: str) -> None:
    spec = SeriesSpec.model_construct(recurrence=recurrence, time_zone="UTC", join_at=datetime.now(UTC))
    with pytest.raises(BadRecurrence, match=why.replace("(", r"\(")) as refused:
        next(occurrences(spec, spec.join_at))
    assert refused.value.field == "recurrence"


def test_a_rule_that_runs_past_the_last_year_is_refused() -> None:
    spec = SeriesSpec.model_construct(
        recurrence="FREQ=DAILY", time_zone="America/New_York", join_at=datetime(9999, 12, 30, 2, tzinfo=UTC)
    )
    with pytest.raises(BadRecurrence, match="cannot be followed"):
        list(occurrences(spec, spec.join_at))


@pytest.mark.parametrize("name", ["Vienna", "Europe", "", "../../etc/passwd", "Europe/Vienna\x00", "x" * 64, "CEST+2?"])
def test_an_unknown_time_zone_is_refused_by_name(name: str) -> None:
    with pytest.raises(BadRecurrence, match="not a time zone") as refused:
        moments("FREQ=DAILY", "2026-11-22T09:00:00+00:00", name or "-")
    assert refused.value.field == "time_zone"


@pytest.mark.parametrize(
    "recurrence",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=8",
        "FREQ=MONTHLY;BYMONTHDAY=31;BYMONTH=6",
        "FREQ=MONTHLY;BYDAY=6MO",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
    ],
)
def test_a_rule_that_never_comes_true_is_refused_without_a_search_to_the_year_9999(recurrence: str) -> None:
    """The library alone would find nothing, after seconds to minutes of processor time."""
    with pytest.raises(BadRecurrence, match="no occurrence"):
        moments(recurrence, "2026-11-22T09:00:00+00:00", "UTC", most=1)
