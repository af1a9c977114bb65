"""Why a line is what it is, on both databases: down to entries, ticks and events, and nothing of anybody else."""

import json

import pytest
from roomscribe_common.errors import ProblemError
from roomscribe_common.subjects import UNKNOWN
from roomscribe_usage_metering.domain.evidence import ConnectionSeen, Record, RoomPolled
from roomscribe_usage_metering.domain.lines import epoch_ms

from .billing import Till, at, late_guest, talk
from .events import Meeting


async def test_an_invoices_line_is_explained_down_to_its_entries(till: Till) -> None:
    await till.hear(talk("mtg_1", at(11, 2, 9), 45, people=2), at(11, 2, 10))
    line_id = "livekit-cloud-ship@2026-06-02:webrtc_participant_minutes"
    drafted = await till.explain(at(11, 5), line_id, period="2026-11")
    await till.close(at(12, 2))
    explained = await till.explain(at(12, 2), line_id, period="2026-11")
    assert explained.entries == drafted.entries
    assert [(one.line_id, one.billed, one.corrects) for one in explained.entries] == [
        ("webrtc:PA_agent_mtg_1", "45", None),
        ("webrtc:PA_mtg_1_0", "45", None),
        ("webrtc:PA_mtg_1_1", "45", None),
    ]
    assert explained.summary == (
        "3 entries of 1 meeting: 135 min; 150000 min are included, 0 beyond that at 0.0005 are 0.00 USD."
    )
    base = await till.explain(at(12, 2), "livekit-cloud-ship@2026-06-02:plan_base", period="2026-11")
    assert (base.entries, base.summary) == ([], "The plan's base for one month: 50.00 USD, whatever is used.")


async def test_an_invoices_line_goes_on_to_the_ticks_and_events_of_each_entry(till: Till) -> None:
    meeting = Meeting(start=at(11, 30, 23, 59))
    await till.hear(meeting.life(), at(12, 1, 1))
    line_id = "livekit-cloud-ship@2026-06-02:webrtc_participant_minutes"
    explained = await till.explain(at(12, 1, 2), line_id, period="2026-11")
    assert sum(one.steps for one in explained.entries) == len(explained.ticks) > 0
    for entry in explained.entries:
        ticks = [tick for tick in explained.ticks if tick.entry == entry.key]
        assert (len(ticks), {tick.period for tick in ticks}) == (entry.steps, {"2026-11"})
        assert [event.hash for event in explained.events if event.entry == entry.key]


async def test_a_correction_is_explained_by_the_entries_that_came_late(till: Till) -> None:
    await till.hear(talk("mtg_1", at(11, 2, 9), 45), at(11, 2, 10))
    await till.close(at(12, 2))
    await till.hear(late_guest("mtg_1", at(11, 2, 9), 20), at(12, 5))
    line_id = "correction:2026-11:livekit-cloud-ship@2026-06-02:webrtc_participant_minutes"
    explained = await till.explain(at(12, 6), line_id, period="2026-12")
    assert [(one.line_id, one.steps, one.period, one.of_period) for one in explained.entries] == [
        ("webrtc:PA_late", 20, "2026-12", "2026-11")
    ]
    assert "1 entry of 1 meeting: 20 min of 2026-11 came to light later" in explained.summary


async def test_every_line_of_a_meeting_is_explained_by_ticks_and_events(till: Till) -> None:
    meeting = Meeting(start=at(11, 30, 23, 59))
    await till.hear(meeting.life(), at(12, 1, 1))
    usage = await till.usage("mtg_1")
    assert len(usage.lines) > 7
    for line in usage.lines:
        explained = await till.explain(at(12, 1, 2), line.line_id, meeting_id="mtg_1")
        assert explained.events, line.line_id
        assert len(explained.ticks) == min(100, sum(one.steps for one in explained.entries))
    anna = await till.explain(at(12, 1, 2), "webrtc:PA_anna", meeting_id="mtg_1")
    assert [(tick.number, tick.period) for tick in anna.ticks] == [(1, "2026-11"), (2, "2026-12")]
    assert [(one.id.split("_RM")[0], one.chain, one.sequence > 0) for one in anna.events] == [
        ("EV_participant_joined_PA_anna", "_/2026-12", True),
        ("EV_participant_left_PA_anna", "_/2026-12", True),
    ]
    assert anna.summary == "2 events say 74,000 ms (left, measured): 2 ticks of 60,000 ms are 2 minutes, in 2 entries."


async def test_a_poll_shows_nobody_but_whom_the_line_is_about(till: Till) -> None:
    start = at(11, 2, 9)
    await till.hear(talk("mtg_1", start, 10), at(11, 2, 10))
    seen = [
        ConnectionSeen(room_sid="RM_mtg_1", participant_sid=sid, identity=sid, participant_kind="STANDARD", seen_ms=5)
        for sid in ("PA_mtg_1_0", "PA_of_another_tenant")
    ]
    polled = RoomPolled(room_sid="RM_mtg_1", at_ms=epoch_ms(start) + 30_000, present=tuple(seen))
    await till.store.add([Record(UNKNOWN, "poller", "poll:1", polled, None, "RM_mtg_1")], 0)
    explained = await till.explain(at(11, 3), "webrtc:PA_mtg_1_0", meeting_id="mtg_1")
    [poll] = [one for one in explained.events if one.kind == "room_polled"]
    assert "PA_of_another_tenant" not in explained.model_dump_json()
    assert "PA_mtg_1_0" in json.dumps(poll.fact)


async def test_a_long_explanation_is_told_in_pages(till: Till) -> None:
    await till.hear(talk("mtg_1", at(11, 2), 250), at(11, 3))
    line = "webrtc:PA_mtg_1_0"
    pages = [await till.explain(at(11, 4), line, meeting_id="mtg_1")]
    while (after := pages[-1].next_cursor) is not None:
        pages.append(await till.explain(at(11, 4), line, meeting_id="mtg_1", after=after))
    assert [tick.number for page in pages for tick in page.ticks] == list(range(1, 251))
    assert len(pages) == 3
    with pytest.raises(ProblemError, match="no cursor") as refused:
        await till.explain(at(11, 4), line, meeting_id="mtg_1", after="-1")
    assert refused.value.problem.status == 422


async def test_what_does_not_fit_into_an_answer_is_counted_and_in_the_meetings_line(till: Till) -> None:
    meeting = Meeting("mtg_1", start=at(11, 2))
    beats = [meeting.heartbeat(seq) for seq in range(1, 1_104)]
    await till.hear([meeting.started(), *beats, meeting.agent_left(1_260 * 60), meeting.ended(1_260 * 60)], at(11, 3))
    line = "livekit-cloud-ship@2026-06-02:agent_session_minutes"
    explained = await till.explain(at(11, 4), line, period="2026-11")
    [entry] = explained.entries
    assert (len(explained.ticks), entry.ticks_left_out) == (1_000, 260)
    assert (len(explained.events), entry.events_left_out) == (1_000, 104)
    assert len(explained.model_dump_json()) < 1_000_000
    page, events, ticks = await till.explain(at(11, 4), entry.line_id, meeting_id="mtg_1"), 0, 0
    while True:
        ticks, events = ticks + len(page.ticks), events + len(page.events)
        assert page.entries == [] or page.entries[0].ticks_left_out == 0
        if page.next_cursor is None:
            break
        page = await till.explain(at(11, 4), entry.line_id, meeting_id="mtg_1", after=page.next_cursor)
    assert (ticks, events) == (1_260, 1_104)
