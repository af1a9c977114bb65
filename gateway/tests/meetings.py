"""Events of a small meeting, as the services would publish them; and a dispatcher that answers on the bus."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from roomscribe_common.bus import Bus
from roomscribe_common.contracts.base import AnyEvent, Data, Participant, SttModel, Track
from roomscribe_common.contracts.commands import (
    Done,
    EndMeeting,
    EndSeries,
    MeetingView,
    Occurrence,
    SeriesView,
    StartMeeting,
    StartSeries,
)
from roomscribe_common.contracts.insight import ActionItem, Cited, Minutes, MinutesData
from roomscribe_common.contracts.meeting import (
    EndReason,
    MeetingDelayed,
    MeetingDelayedData,
    MeetingEnded,
    MeetingEndedData,
    MeetingFailed,
    MeetingFailedData,
    MeetingRequested,
    MeetingRequestedData,
    MeetingStarted,
    MeetingStartedData,
    ParticipantJoined,
    ParticipantJoinedData,
    ParticipantLeft,
    ParticipantLeftData,
    ParticipantRenamed,
    ParticipantRenamedData,
)
from roomscribe_common.contracts.series import SeriesEnded, SeriesEndedData, SeriesRequested, SeriesRequestedData
from roomscribe_common.contracts.transcript import (
    Speaker,
    TranscriptCompleted,
    TranscriptCompletedData,
    TranscriptFinal,
    TranscriptFinalData,
    TranscriptGap,
    TranscriptGapData,
    TranscriptInterim,
    TranscriptInterimData,
    TranscriptRevised,
)
from roomscribe_common.contracts.usage import MeetingUsage, MeetingUsageData
from roomscribe_common.errors import ProblemError
from roomscribe_common.reader import EventT
from roomscribe_common.subjects import END_MEETING, END_SERIES, START_MEETING, START_SERIES, subject_of

START = datetime(2026, 11, 22, 10, 0, 0, 123000, tzinfo=UTC)
ADA = Participant(identity="ada", name="Ada Lovelace")
STT = SttModel(provider="test", model="test")
TRACK = Track(id="TR_1", source="microphone")


def requested(meeting: str, tenant: str = "acme", room: str = "planning", **more: object) -> MeetingRequested:
    data = MeetingRequestedData.model_validate(
        {
            "meeting_id": meeting,
            "room": room,
            "title": "Sprint planning",
            "requested_at": START,
            "started_at": START,
            "empty_room_timeout_s": 30.0,
        }
        | more
    )
    return _event(MeetingRequested, tenant, meeting, f"requested:{meeting}", data)


def delayed(meeting: str, reason: str) -> MeetingDelayed:
    data = MeetingDelayedData(meeting_id=meeting, room="planning", join_at=START, at=START, reason=reason)
    return _event(MeetingDelayed, "acme", meeting, f"delayed:{meeting}", data)


def series_requested(series: str, tenant: str = "acme", **more: object) -> SeriesRequested:
    given: dict[str, object] = {
        "series_id": series,
        "room": "daily",
        "join_at": START,
        "recurrence": "FREQ=DAILY",
        "time_zone": "Europe/Vienna",
        "requested_at": START,
        "empty_room_timeout_s": 30.0,
    }
    data = SeriesRequestedData.model_validate(given | more)
    return _event(SeriesRequested, tenant, series, f"series_requested:{series}", data)


def series_ended(series: str) -> SeriesEnded:
    data = SeriesEndedData(series_id=series, room="daily", ended_at=START, reason="requested")
    return _event(SeriesEnded, "acme", series, f"series_ended:{series}", data)


def started(meeting: str, tenant: str = "acme", room: str = "planning", **more: object) -> MeetingStarted:
    given = {"meeting_id": meeting, "room": room, "room_sid": "RM_1", "started_at": START, "joined_at": START}
    data = MeetingStartedData.model_validate(given | {"epoch": 1} | more)
    return _event(MeetingStarted, tenant, meeting, f"started:{meeting}", data)


def ended(
    meeting: str,
    tenant: str = "acme",
    room: str = "planning",
    at: datetime | None = None,
    reason: EndReason = "requested",
) -> MeetingEnded:
    data = MeetingEndedData(
        meeting_id=meeting, room=room, started_at=START, ended_at=at or START + timedelta(minutes=5), reason=reason
    )
    return _event(MeetingEnded, tenant, meeting, f"ended:{meeting}", data)


def failed(meeting: str, tenant: str = "acme", room: str = "planning") -> MeetingFailed:
    data = MeetingFailedData(
        meeting_id=meeting, room=room, failed_at=START, reason="no_agent", detail="No node took the job."
    )
    return _event(MeetingFailed, tenant, meeting, f"failed:{meeting}", data)


def _roster(meeting: str, sid: str, person: Participant, at: datetime) -> dict[str, object]:
    return {
        "meeting_id": meeting,
        "room": "planning",
        "epoch": 1,
        "participant": person,
        "participant_sid": sid,
        "at": at,
    }


def joined(meeting: str, sid: str = "PA_1", person: Participant = ADA, tenant: str = "acme") -> ParticipantJoined:
    data = ParticipantJoinedData.model_validate(
        {**_roster(meeting, sid, person, START), "joined_at": START, "kind": "standard"}
    )
    return _event(ParticipantJoined, tenant, meeting, f"joined:{meeting}:{sid}", data)


def renamed(meeting: str, name: str, after_s: float = 5, sid: str = "PA_1") -> ParticipantRenamed:
    person = Participant(identity="ada", name=name)
    roster = _roster(meeting, sid, person, START + timedelta(seconds=after_s))
    data = ParticipantRenamedData.model_validate({**roster, "previous_name": "Ada Lovelace"})
    return _event(ParticipantRenamed, "acme", meeting, f"renamed:{meeting}:{after_s}", data)


def left(meeting: str, sid: str = "PA_1", person: Participant = ADA) -> ParticipantLeft:
    data = ParticipantLeftData.model_validate(_roster(meeting, sid, person, START + timedelta(minutes=1)))
    return _event(ParticipantLeft, "acme", meeting, f"left:{meeting}:{sid}", data)


def _segment(
    meeting: str, number: int, text: str, start_ms: int, person: Participant, room: str = "planning"
) -> dict[str, object]:
    return {
        "segment_id": f"utt_{number}",
        "revision": 1,
        "meeting_id": meeting,
        "room": room,
        "participant": person,
        "speaker": Speaker(id=person.identity, label=person.name, basis="track", confidence=1.0),
        "track": TRACK,
        "start_ms": start_ms,
        "end_ms": start_ms + 900,
        "started_at": START + timedelta(milliseconds=start_ms),
        "text": text,
        "language": "en",
        "confidence": 0.9,
        "stt": STT,
    }


def final(
    meeting: str,
    number: int,
    text: str = "Good morning.",
    *,
    start_ms: int | None = None,
    tenant: str = "acme",
    person: Participant = ADA,
) -> TranscriptFinal:
    start_ms = number * 1000 if start_ms is None else start_ms
    data = TranscriptFinalData.model_validate({**_segment(meeting, number, text, start_ms, person), "sequence": number})
    return _event(TranscriptFinal, tenant, meeting, f"final:{meeting}:{number}", data)


def revised(meeting: str, number: int, text: str, revision: int = 2) -> TranscriptRevised:
    segment = _segment(meeting, number, text, number * 1000, ADA)
    data = TranscriptFinalData.model_validate({**segment, "sequence": number, "revision": revision})
    return _event(TranscriptRevised, "acme", meeting, f"revised:{meeting}:{number}:{revision}", data)


def interim(meeting: str, number: int, text: str, tenant: str = "acme") -> TranscriptInterim:
    data = TranscriptInterimData.model_validate(_segment(meeting, number, text, number * 1000, ADA))
    return _event(TranscriptInterim, tenant, meeting, f"interim:{meeting}:{number}:{text}", data)


def gap(meeting: str, number: int, start_ms: int) -> TranscriptGap:
    data = TranscriptGapData(
        gap_id=f"gap_{number}",
        meeting_id=meeting,
        room="planning",
        participant=ADA,
        track=TRACK,
        segment_id=f"utt_gap{number}",
        start_ms=start_ms,
        end_ms=start_ms + 1500,
        reason="agent_lost",
    )
    return _event(TranscriptGap, "acme", meeting, f"gap:{meeting}:{number}", data)


def completed(meeting: str, segments: int, tenant: str = "acme") -> TranscriptCompleted:
    data = TranscriptCompletedData(
        meeting_id=meeting,
        room="planning",
        completed_at=START + timedelta(minutes=6),
        segments=segments,
        last_sequence=segments,
        complete=True,
    )
    return _event(TranscriptCompleted, tenant, meeting, f"completed:{meeting}", data)


def minutes(meeting: str, tenant: str = "acme") -> Minutes:
    data = MinutesData(
        meeting_id=meeting,
        room="planning",
        title="Sprint planning",
        method="extractive",
        language="en",
        generated_at=START + timedelta(minutes=7),
        last_sequence=2,
        summary=[Cited(text="They planned the sprint.", segment_ids=["utt_1"])],
        topics=[Cited(text="Sprint", segment_ids=["utt_1"])],
        decisions=[Cited(text="Ship on Friday.", segment_ids=["utt_2"])],
        action_items=[ActionItem(text="Write the notes.", owner="Ada Lovelace", due="Friday", segment_ids=["utt_2"])],
        open_questions=[],
    )
    return _event(Minutes, tenant, meeting, f"minutes:{meeting}", data)


def ledger(meeting: str, digest: str = "d1") -> MeetingUsageData:
    return MeetingUsageData(
        meeting_id=meeting,
        room="planning",
        policy="livekit",
        closed=True,
        digest=digest,
        lines=[],
        totals={"agent_session_minutes": "5"},
    )


def used(meeting: str, digest: str = "d1") -> MeetingUsage:
    return _event(MeetingUsage, "acme", meeting, f"usage:{meeting}:{digest}", ledger(meeting, digest))


def _event(model: type[EventT], tenant: str, meeting: str, id: str, data: Data) -> EventT:
    subject = subject_of(model, tenant, meeting)
    return model.new(id=f"{tenant}:{id}", source="test", subject=subject, tenant=tenant, data=data, time=START)


def whole_meeting(meeting: str, tenant: str = "acme") -> list[AnyEvent]:
    return [
        requested(meeting, tenant),
        started(meeting, tenant),
        joined(meeting, tenant=tenant),
        final(meeting, 1, "Good morning everyone.", tenant=tenant),
        final(meeting, 2, "We ship on Friday.", tenant=tenant),
        ended(meeting, tenant),
        completed(meeting, 2, tenant),
        minutes(meeting, tenant),
    ]


class Publisher:
    """Puts events on the bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def __call__(self, *events: AnyEvent) -> None:
        for event in events:
            await self._bus.publish(event)

    async def core(self, *events: AnyEvent) -> None:
        for event in events:
            await self._bus.publish_core(event)
        await self._bus.nc.flush()


@dataclass
class FakeDispatcher:
    """Does what the dispatcher's contract says, in memory."""

    bus: Bus
    asked: list[StartMeeting] = field(default_factory=list[StartMeeting])
    ended: list[EndMeeting] = field(default_factory=list[EndMeeting])
    refuse: ProblemError | None = None
    by_key: dict[tuple[str, str | None], MeetingView] = field(default_factory=dict[tuple[str, str | None], MeetingView])
    by_room: dict[tuple[str, str], MeetingView] = field(default_factory=dict[tuple[str, str], MeetingView])
    series: dict[tuple[str, str | None], SeriesView] = field(default_factory=dict[tuple[str, str | None], SeriesView])
    ended_series: list[EndSeries] = field(default_factory=list[EndSeries])
    on_end: Callable[[EndMeeting], Awaitable[None]] | None = None
    silent: asyncio.Event | None = None

    async def listen(self) -> None:
        await self.bus.reply(START_MEETING, self.start, StartMeeting)
        await self.bus.reply(END_MEETING, self.end, EndMeeting)
        await self.bus.reply(START_SERIES, self.start_series, StartSeries)
        await self.bus.reply(END_SERIES, self.end_series, EndSeries)
        await self.bus.nc.flush()

    async def start(self, command: StartMeeting) -> MeetingView:
        self.asked.append(command)
        if self.silent is not None:
            await self.silent.wait()
        if self.refuse is not None:
            raise self.refuse
        keyed = self.by_key.get((command.tenant, command.idempotency_key)) if command.idempotency_key else None
        there = keyed or self.by_room.get((command.tenant, command.spec.room))
        if there is not None:
            return there.model_copy(update={"created": False})
        spec = command.spec
        event = requested(
            spec.meeting_id,
            command.tenant,
            **spec.model_dump(exclude={"meeting_id"}),
            idempotency_key=command.idempotency_key,
        )
        await self.bus.publish(event)
        view = MeetingView(
            tenant=command.tenant, spec=spec, state="dispatching", epoch=1, requested_at=START, started_at=START
        )
        self.by_key[command.tenant, command.idempotency_key] = view
        self.by_room[command.tenant, spec.room] = view
        return view

    async def end(self, command: EndMeeting) -> Done:
        self.ended.append(command)
        if self.on_end is not None:
            await self.on_end(command)
        return Done()

    async def start_series(self, command: StartSeries) -> SeriesView:
        there = self.series.get((command.tenant, command.idempotency_key)) if command.idempotency_key else None
        if there is not None:
            return there.model_copy(update={"created": False})
        spec = command.spec
        given = spec.model_dump(exclude={"series_id"})
        await self.bus.publish(series_requested(spec.series_id, command.tenant, **given))
        next_one = Occurrence(meeting_id=f"mtg_{spec.series_id[4:]}_1", join_at=spec.join_at)
        view = SeriesView(tenant=command.tenant, spec=spec, state="active", requested_at=START, occurrences=[next_one])
        self.series[command.tenant, command.idempotency_key or spec.series_id] = view
        return view

    async def end_series(self, command: EndSeries) -> Done:
        self.ended_series.append(command)
        return Done()
