"""What must hold of the ledger whatever happens on the way: any order, any duplication, any loss."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from roomscribe_usage_metering.domain.evidence import (
    AgentSeen,
    AudioDecoded,
    Claim,
    ConnectionSeen,
    Evidence,
    MeetingBegan,
    MeetingKey,
    MeetingOver,
    MeetingWanted,
    RoomFinished,
    RoomPolled,
    TokensUsed,
)
from roomscribe_usage_metering.domain.ledger import Ledger, derive, totals
from roomscribe_usage_metering.domain.quantise import quantise

from .scenarios import scenarios

KEY = MeetingKey("acme", "mtg_1")
T0 = 1_795_000_000_000
ROOM, SID, BEAT_MS, POLL_MS = "planning", "RM_1", 15_000, 30_000
WEBRTC, AGENT = "webrtc_participant_minutes", "agent_session_minutes"


@dataclass(frozen=True)
class Person:
    sid: str
    start: int
    end: int


@dataclass(frozen=True)
class Truth:
    """What happened in a room, in ms from T0; the agent is killed at `agent_end` if `killed`."""

    people: tuple[Person, ...]
    agent_end: int
    killed: bool
    room_end: int
    audio_ms: tuple[int, ...]


@st.composite
def truths(draw: st.DrawFn) -> Truth:
    spans = draw(st.lists(st.tuples(st.integers(0, 200_000), st.integers(1, 200_000)), max_size=4))
    people = tuple(Person(f"PA_{n}", start, start + length) for n, (start, length) in enumerate(spans))
    agent_end = draw(st.integers(1, 400_000))
    room_end = max([agent_end, *(p.end for p in people)]) + draw(st.integers(0, 30_000))
    audio = tuple(draw(st.lists(st.integers(0, 30_000), max_size=4)))
    return Truth(people, agent_end, draw(st.booleans()), room_end, audio)


def second(ms: int) -> int:
    return (T0 + ms) // 1000 * 1000


def look(person: Person, **times: Any) -> ConnectionSeen:
    return ConnectionSeen(
        room_sid=SID,
        participant_sid=person.sid,
        identity=person.sid,
        participant_kind="STANDARD",
        joined_ms=T0 + person.start,
        **times,
    )


def joins(truth: Truth) -> list[Evidence]:
    return [look(p, seen_ms=second(p.start)) for p in truth.people]


def leaves(truth: Truth) -> list[Evidence]:
    return [look(p, left_ms=second(p.end)) for p in truth.people]


def polls(truth: Truth) -> list[Evidence]:
    found: list[Evidence] = []
    for at in range(POLL_MS, truth.room_end, POLL_MS):
        present = tuple(look(p, seen_ms=T0 + at) for p in truth.people if p.start <= at < p.end)
        found.append(RoomPolled(room_sid=SID, at_ms=T0 + at, present=present))
    return found


def agent(uptime_ms: int, *, left: bool = False) -> AgentSeen:
    return AgentSeen(
        room=ROOM,
        room_sid=SID,
        participant_sid="PA_agent",
        identity="roomscribe",
        job_id="job_1",
        epoch=1,
        joined_ms=T0,
        uptime_ms=uptime_ms,
        left=left,
    )


def beats(truth: Truth) -> list[Evidence]:
    found: list[Evidence] = [agent(at) for at in range(0, truth.agent_end + 1, BEAT_MS)]
    return found if truth.killed else [*found, agent(truth.agent_end, left=True)]


def rest(truth: Truth) -> list[Evidence]:
    audio = [
        AudioDecoded(
            room=ROOM,
            utterance_id=f"utt_{n}",
            track_id=f"TR_{n % 2}",
            identity="anna",
            provider="moonshine",
            model="tiny",
            audio_ms=ms,
            start_ms=T0 + n,
            end_ms=T0 + n + ms,
        )
        for n, ms in enumerate(truth.audio_ms)
    ]
    tokens = TokensUsed(request_id="llm_1", provider="openai", model="m", input_tokens=7, output_tokens=3, at_ms=T0)
    return [
        MeetingWanted(room=ROOM),
        MeetingBegan(room=ROOM, room_sid=SID, joined_ms=T0),
        MeetingOver(room=ROOM, ended_ms=T0 + truth.room_end),
        RoomFinished(room_sid=SID, at_ms=second(truth.room_end)),
        tokens,
        *audio,
    ]


def everything(truth: Truth) -> list[Evidence]:
    return [*joins(truth), *leaves(truth), *polls(truth), *beats(truth), *rest(truth)]


def billed(ledger: Ledger, meter: str) -> int:
    return int(totals(ledger.lines)[meter])


@scenarios
@given(truths(), st.data())
def test_any_order_and_any_duplication_give_the_same_digest(truth: Truth, data: st.DataObject) -> None:
    facts = everything(truth)
    shuffled = data.draw(st.permutations(facts + data.draw(st.lists(st.sampled_from(facts), max_size=20))))
    assert derive(KEY, shuffled).digest == derive(KEY, facts).digest


@scenarios
@given(truths())
def test_lost_joins_and_polls_change_nothing_where_the_leaves_arrived(truth: Truth) -> None:
    whole = derive(KEY, everything(truth))
    assert derive(KEY, [*leaves(truth), *beats(truth), *rest(truth)]).digest == whole.digest


@scenarios
@given(truths())
def test_a_connection_is_billed_within_a_second_of_the_truth_and_never_over_it(truth: Truth) -> None:
    by_sid = {line.subject: line for line in derive(KEY, everything(truth)).lines if line.meter == WEBRTC}
    assert by_sid.keys() == {p.sid for p in truth.people}
    for p in truth.people:
        assert max(1, p.end - p.start - 999) <= by_sid[p.sid].quantity <= p.end - p.start


@scenarios
@given(truths())
def test_lost_leaves_still_bill_every_connection_to_its_last_sighting_or_the_rooms_end(truth: Truth) -> None:
    ledger = derive(KEY, [*joins(truth), *polls(truth), *beats(truth), *rest(truth)])
    by_sid = {line.subject: line for line in ledger.lines if line.meter == WEBRTC}
    assert by_sid.keys() == {p.sid for p in truth.people}
    assert not ledger.open


@scenarios
@given(truths())
def test_a_killed_agent_loses_at_most_one_heartbeat_and_is_never_billed_beyond_its_death(truth: Truth) -> None:
    (session,) = [line for line in derive(KEY, everything(truth)).lines if line.meter == AGENT]
    loss = max(truth.agent_end, 1) - session.quantity
    # The room's end is told in whole seconds, and may cut what the agent knows better.
    assert 0 <= loss < (BEAT_MS + 1_000 if truth.killed else 1_000)


@scenarios
@given(truths())
def test_the_running_total_never_falls_as_evidence_arrives_in_time(truth: Truth) -> None:
    so_far: list[Evidence] = [agent(0)]
    before = Counter[str]()
    for fact in sorted([*beats(truth), *polls(truth), *joins(truth)], key=_when):
        so_far.append(fact)
        ledger = derive(KEY, so_far)
        now = Counter({meter: billed(ledger, meter) for meter in (WEBRTC, AGENT)})
        assert now >= before
        before = now


def _when(fact: Evidence) -> int:
    match fact:
        case AgentSeen():
            return fact.joined_ms + fact.uptime_ms
        case RoomPolled():
            return fact.at_ms
        case ConnectionSeen():
            return fact.joined_ms or 0
        case _:
            return 0


@scenarios
@given(truths())
def test_totals_are_the_sum_of_what_each_line_bills(truth: Truth) -> None:
    ledger = derive(KEY, everything(truth))
    assert billed(ledger, WEBRTC) == sum(line.steps for line in ledger.lines if line.meter == WEBRTC)
    seconds = sum(
        quantise("stt_audio_minutes", "livekit", line.quantity) for line in ledger.lines if "stt" in line.meter
    )
    assert totals(ledger.lines)["stt_audio_minutes"].startswith(str(seconds // 60))


@scenarios
@given(truths(), st.integers(0, 30))
def test_heartbeats_that_are_lost_cost_nothing_if_a_later_one_arrives(truth: Truth, kept: int) -> None:
    every = beats(truth)
    some = [*every[kept:-1], every[-1]]
    assert derive(KEY, [*some, *rest(truth)]).digest == derive(KEY, [*every, *rest(truth)]).digest


@scenarios
@given(truths(), st.lists(st.tuples(st.sampled_from(["mtg_2", "mtg_3"]), st.integers(0, 300_000)), max_size=4))
def test_meetings_that_share_a_room_bill_each_connection_once_in_all(
    truth: Truth, others: list[tuple[str, int]]
) -> None:
    ours = Claim(SID, KEY, "PA_agent", T0)
    keys = {name: MeetingKey("globex", name) for name, _ in others}
    theirs = [Claim(SID, keys[name], f"PA_agent_{name}", T0 + at) for name, at in others]
    facts = [*joins(truth), *leaves(truth)]
    found = [derive(KEY, [*facts, *beats(truth)], theirs)]
    found += [derive(key, facts, [ours, *theirs]) for key in keys.values()]
    billed_sids = [line.subject for ledger in found for line in ledger.lines if line.meter == WEBRTC]
    assert sorted(billed_sids) == sorted(person.sid for person in truth.people)
