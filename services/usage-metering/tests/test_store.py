"""Evidence on both databases."""

import asyncio
import itertools
import random
from datetime import UTC, datetime

import pytest
from roomscribe_common.errors import ProblemError, Retryable
from roomscribe_usage_metering.adapters.bookings import Bookings
from roomscribe_usage_metering.adapters.ledgers import Ledgers
from roomscribe_usage_metering.adapters.period_usage import Periods
from roomscribe_usage_metering.adapters.store import EvidenceStore, Room
from roomscribe_usage_metering.adapters.writer import EvidenceWriter
from roomscribe_usage_metering.closer import Closer, Times
from roomscribe_usage_metering.domain.evidence import MeetingKey, Record
from roomscribe_usage_metering.domain.lines import epoch_ms
from roomscribe_usage_metering.domain.periods import PAGE

from .events import START, Meeting
from .records import record

KEY = MeetingKey("acme", "mtg_1")


def life(meeting: Meeting | None = None) -> list[Record]:
    return [record(event) for event in (meeting or Meeting()).life()]


async def test_the_ledger_of_a_whole_life(store: EvidenceStore, ledgers: Ledgers) -> None:
    await store.add(life(), 0)
    usage = await ledgers.meeting_usage(KEY)
    assert usage is not None
    # Anna 74 s and the agent 75 s are two minutes each, Bo's 8 s one.
    assert {meter: total for meter, total in usage.totals.items() if total != "0"} == {
        "webrtc_participant_minutes": "5",
        "agent_session_minutes": "2",
        "downstream_gb": "0.04",
        "stt_audio_minutes": "0.033333333333",
        "llm_input_tokens": "100",
        "llm_output_tokens": "10",
    }
    assert not any(line.open for line in usage.lines)
    assert usage.estimate is not None
    # 5 × 0.0005, 2 × 0.01, 0.04 × 0.12, 2 s of 0.006 a minute: each line is rounded to cents, once.
    assert [(line.exact, line.amount) for line in usage.estimate.lines] == [
        ("0.0025", "0.00"),
        ("0.02", "0.02"),
        ("0.0048", "0.00"),
        ("0.0002", "0.00"),
    ]
    assert usage.estimate.total == "0.02"


async def test_evidence_that_comes_again_is_stored_once(store: EvidenceStore, ledgers: Ledgers) -> None:
    records = life()
    assert await store.add(records + records, 0) == len(records)
    once = await ledgers.meeting_usage(KEY)
    assert await store.add(records, 1) == 0
    assert await ledgers.meeting_usage(KEY) == once


async def test_order_and_batches_do_not_matter(store: EvidenceStore, ledgers: Ledgers) -> None:
    digests: set[str] = set()
    for seed, tenant in itertools.product(range(3), ("acme", "globex")):
        shuffled = life(Meeting(f"mtg_{seed}", tenant, f"RM_{seed}_{tenant}"))
        random.Random(seed).shuffle(shuffled)
        for start in range(0, len(shuffled), seed + 1):
            await store.add(shuffled[start : start + seed + 1], 0)
        usage = await ledgers.meeting_usage(MeetingKey(tenant, f"mtg_{seed}"))
        assert usage is not None
        digests.add(str(usage.totals))
    assert len(digests) == 1


async def test_writers_at_the_same_time_lose_and_double_nothing(store: EvidenceStore, ledgers: Ledgers) -> None:
    records = life()
    async with asyncio.TaskGroup() as group:
        for start in range(4):
            for one in records[start:] + records[:start]:
                group.create_task(store.add([one], 0))
    usage = await ledgers.meeting_usage(KEY)
    assert usage is not None
    assert usage.totals["webrtc_participant_minutes"] == "5"


async def test_tenants_with_the_same_meeting_id_never_meet(store: EvidenceStore, ledgers: Ledgers) -> None:
    await store.add(life(Meeting("mtg_1", "acme", "RM_1")), 0)
    await store.add([record(Meeting("mtg_1", "globex", "RM_2").final("utt_9", 60_000))], 0)
    ours, theirs = [await ledgers.meeting_usage(MeetingKey(tenant, "mtg_1")) for tenant in ("acme", "globex")]
    assert ours is not None
    assert theirs is not None
    assert ours.totals["stt_audio_minutes"] == "0.033333333333"
    assert {line.line_id for line in theirs.lines} == {"stt:TR_anna:1:moonshine/tiny"}
    assert await ledgers.meeting_usage(MeetingKey("initech", "mtg_1")) is None


async def test_a_second_meeting_in_the_room_takes_nothing_from_the_first(
    store: EvidenceStore, ledgers: Ledgers
) -> None:
    await store.add(life(Meeting("mtg_1", "acme", "RM_1")), 0)
    before = await ledgers.meeting_usage(KEY)
    await store.add([record(Meeting("mtg_2", "globex", "RM_1").agent_joined())], 0)
    assert before is not None
    both = [await ledgers.meeting_usage(key) for key in (KEY, MeetingKey("globex", "mtg_2"))]
    connections = [line.line_id for usage in both if usage for line in usage.lines if line.line_id[:6] == "webrtc"]
    assert sorted(connections) == sorted(line.line_id for line in before.lines if line.line_id[:6] == "webrtc")


async def test_a_period_holds_the_use_whose_ticks_are_in_it(store: EvidenceStore, periods: Periods) -> None:
    for n in (1, 2):
        await store.add(life(Meeting(f"mtg_{n}", "acme", f"RM_{n}")), 0)
    await store.add(life(Meeting("mtg_3", "globex", "RM_3")), 0)
    month = await periods.usage("acme", "2026-11")
    assert [usage.meeting_id for usage in month.meetings] == ["mtg_1", "mtg_2"]
    assert month.totals["webrtc_participant_minutes"] == "10"
    assert month.totals["stt_audio_minutes"] == "0.066666666667"
    for empty in ("2026-10", "2026-12"):
        assert (await periods.usage("acme", empty)).meetings == []


async def test_a_meeting_over_midnight_is_in_both_periods(store: EvidenceStore, periods: Periods) -> None:
    # Six minutes of a person and an agent from 30 s before December: the first tick of each is in November.
    start = datetime(2026, 11, 30, 23, 59, 30, tzinfo=UTC)
    meeting = Meeting(start=start)
    left = [meeting.webhook("participant_left", sid, 360, 0, kind) for sid, kind in (("PA_a", None), ("PA_x", "AGENT"))]
    await store.add([record(event) for event in (meeting.started(), *left)], 0)
    months = [await periods.usage("acme", name) for name in ("2026-11", "2026-12")]
    assert [month.totals["webrtc_participant_minutes"] for month in months] == ["2", "10"]


async def test_a_period_of_many_meetings_is_told_in_pages_with_the_sums_of_all(
    store: EvidenceStore, periods: Periods
) -> None:
    ids = [f"mtg_{n:03}" for n in range(PAGE + 1)]
    meetings = [Meeting(meeting_id, "acme", f"RM_{meeting_id}") for meeting_id in ids]
    await store.add([record(one.tokens(f"llm_{one.id}")) for one in meetings], 0)
    await store.add([record(one.started()) for one in meetings], 0)
    first = await periods.usage("acme", "2026-11")
    second = await periods.usage("acme", "2026-11", first.next_cursor)
    assert first.next_cursor == ids[PAGE - 1]
    assert [one.meeting_id for one in first.meetings + second.meetings] == ids
    assert second.next_cursor is None
    assert first.totals["llm_input_tokens"] == second.totals["llm_input_tokens"] == str(100 * (PAGE + 1))
    with pytest.raises(ProblemError) as refused:
        await periods.usage("acme", "2026-11", "mtg_999")
    assert refused.value.problem.status == 422


async def test_rooms_are_polled_until_their_meeting_is_closed(
    store: EvidenceStore, ledgers: Ledgers, bookings: Bookings
) -> None:
    started = epoch_ms(START)
    await store.add(life(), 0)
    assert await store.rooms_to_poll(started, 10) == [Room("planning", "RM_1")]
    assert await store.rooms_to_poll(started + 1, 10) == []
    await Closer(store, ledgers, bookings, "test", Times(1, 0)).close_due(started + 3_600_000)
    assert await store.rooms_to_poll(started, 10) == []


async def test_what_waits_together_is_committed_together_and_told_after(store: EvidenceStore) -> None:
    writer = EvidenceWriter(store, 10)
    running = asyncio.create_task(writer.run())
    await asyncio.gather(*(writer.add(one) for one in life()))
    known = await store.known(KEY)
    assert known is not None
    # Some facts are equal; the meeting's version tells how many commits touched it.
    assert known.meeting.version <= 4
    running.cancel()
    await asyncio.wait([running])


async def test_a_database_that_does_not_answer_is_no_reason_to_ack(store: EvidenceStore) -> None:
    writer = EvidenceWriter(store, 0.05)
    with pytest.raises(Retryable, match="did not store"):
        await writer.add(life()[0])
