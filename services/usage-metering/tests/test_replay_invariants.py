"""What must hold of a replayed ledger in any world: whatever was lost, repeated or late, whoever was killed."""

from collections import defaultdict
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from roomscribe_usage_metering.domain.connections import Connection
from roomscribe_usage_metering.domain.presence import presence_ms
from roomscribe_usage_metering.replay.replaying import Replay

from . import naive_ledger
from .scenarios import scenarios
from .worlds import (
    BEAT_MS,
    Line,
    World,
    aborts,
    as_file,
    beats,
    everything,
    finishes,
    joins,
    leaves,
    polls,
    replayed,
    worlds,
)

FLOOR_MS = 1_000


def by_sid(ledger: dict[str, Any], part: str = "connections") -> dict[str, dict[str, Any]]:
    return {row["participant_sid"]: row for row in ledger[part]}


def billed(ledger: dict[str, Any]) -> int:
    return sum(row["minutes"] for part in ("connections", "agent_sessions") for row in ledger[part])


@scenarios
@given(worlds(), st.data())
def test_whatever_was_lost_the_naive_ledger_says_the_same(world: World, data: st.DataObject) -> None:
    lines = [line for line in everything(world) if data.draw(st.booleans())]
    ledger = replayed(lines)
    assert ledger["connections"] == naive_ledger.connections(lines)
    assert ledger["agent_sessions"] == naive_ledger.agent_sessions(lines)


@scenarios
@given(worlds(), st.data())
def test_any_order_and_any_repetition_of_what_came_through_give_the_same_ledger(
    world: World, data: st.DataObject
) -> None:
    lines = [line for line in everything(world) if data.draw(st.booleans())]
    again = data.draw(st.lists(st.sampled_from(lines), max_size=20)) if lines else []
    assert replayed(data.draw(st.permutations([*lines, *again]))) == replayed(lines)


@scenarios
@given(worlds())
def test_a_connection_is_billed_within_a_second_of_a_stopwatch_and_never_above_it(world: World) -> None:
    rows = by_sid(replayed(everything(world)))
    assert rows.keys() == {stay.sid for stay in world.stays if stay.kind in ("STANDARD", "AGENT")}
    for stay in world.stays:
        if stay.sid in rows:
            lasted, row = stay.end - stay.start, rows[stay.sid]
            assert max(1, lasted - FLOOR_MS + 1) <= row["end_ms"] - row["start_ms"] <= lasted
            assert row["minutes"] == -(-(row["end_ms"] - row["start_ms"]) // 60_000)


@scenarios
@given(worlds())
def test_time_somebody_was_there_is_at_most_what_is_billed_and_equal_without_overlap(world: World) -> None:
    spans: dict[tuple[str, str], list[Connection]] = defaultdict(list)
    found = _connections(everything(world))
    for one in found:
        spans[one.room_sid, one.identity].append(one)
    there = presence_ms(found)
    for who, own in spans.items():
        in_time = sorted(own, key=lambda one: one.start_ms)
        overlap = any(before.end_ms > after.start_ms for before, after in pairwise(in_time))
        total = sum(one.duration_ms for one in own)
        assert there[who] < total if overlap else there[who] == total


def _connections(lines: list[Line]) -> list[Connection]:
    replay = Replay()
    assert list(replay.read(as_file(lines))) == []
    return replay.connections()


@scenarios
@given(worlds())
def test_a_killed_agent_is_billed_to_its_last_heartbeat_and_one_that_left_to_its_end(world: World) -> None:
    rows = by_sid(replayed(everything(world)), "agent_sessions")
    assert rows.keys() == {life.stay.sid for life in world.lives}
    for life in world.lives:
        lost = life.end - rows[life.stay.sid]["end_ms"]
        most = BEAT_MS + FLOOR_MS if life.killed else FLOOR_MS
        assert 0 <= lost < most


@scenarios
@given(worlds(), st.data())
def test_joins_and_polls_that_were_lost_change_nothing_where_the_leaves_arrived(
    world: World, data: st.DataObject
) -> None:
    told = [line for line in [*joins(world), *polls(world)] if data.draw(st.booleans())]
    rest = [*leaves(world), *aborts(world), *finishes(world), *beats(world)]
    assert replayed([*told, *rest]) == replayed(everything(world))


@scenarios
@given(worlds())
def test_leaves_that_were_lost_leave_every_connection_billed_to_the_rooms_end_or_its_last_sighting(
    world: World,
) -> None:
    with_ends = by_sid(replayed([*joins(world), *polls(world), *beats(world), *finishes(world)]))
    without = by_sid(replayed([*joins(world), *polls(world), *beats(world)]))
    assert with_ends.keys() == without.keys() == by_sid(replayed(everything(world))).keys()
    assert {row["end_basis"] for row in with_ends.values()} <= {"room_finished"}
    assert {row["end_basis"] for row in without.values()} <= {"last_seen"}
    for sid, row in without.items():
        stay = next(stay for stay in world.stays if stay.sid == sid)
        assert row["start_ms"] == stay.start
        assert row["end_ms"] <= max(stay.end, stay.start + 1)


@scenarios
@given(worlds())
def test_what_is_billed_of_running_meetings_never_falls(world: World) -> None:
    replay, before = Replay(), 0
    for line in sorted([*joins(world), *polls(world), *beats(world)], key=_when):
        replay.add(as_file([line]).read())
        minutes = [one.to_line().steps for one in (*replay.connections(), *replay.sessions())]
        assert sum(minutes) >= before
        before = sum(minutes)


def _when(line: Line) -> int:
    match line:
        case {"poll": poll}:
            return poll["at_ms"]
        case {"heartbeat": beat}:
            return beat["connected_at_ms"] + beat["uptime_ms"]
        case _:
            return int(line["livekit"]["participant"]["joinedAtMs"])


@scenarios
@given(worlds())
def test_who_was_never_active_is_free_though_polls_saw_them_coming(world: World) -> None:
    seen = [_poll_of(one["livekit"]["participant"]["sid"], one["livekit"]["room"]["sid"]) for one in aborts(world)]
    assert replayed([*aborts(world), *seen])["connections"] == []
    assert replayed([*everything(world), *seen])["connections"] == replayed(everything(world))["connections"]


def _poll_of(sid: str, room: str) -> Line:
    who = {"sid": sid, "identity": "anna", "kind": "STANDARD", "joined_at_ms": None}
    return {"poll": {"room_sid": room, "at_ms": 1, "participants": [who]}}


@scenarios
@given(worlds(), st.data())
def test_only_the_last_heartbeat_of_an_epoch_is_needed(world: World, data: st.DataObject) -> None:
    told = beats(world)
    last = {(b["heartbeat"]["job_id"], b["heartbeat"]["epoch"]): b["heartbeat"]["seq"] for b in told}
    kept = [
        b
        for b in told
        if last[b["heartbeat"]["job_id"], b["heartbeat"]["epoch"]] == b["heartbeat"]["seq"] or data.draw(st.booleans())
    ]
    assert replayed(kept) == replayed(told)
    assert billed(replayed(kept)) == sum(row["minutes"] for row in naive_ledger.agent_sessions(told))
