"""Reads what the streams hold of one meeting, and of the connections to its room."""

from typing import TypeVar

from nats.aio.client import Client
from pydantic import BaseModel, ConfigDict
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.insight import Minutes
from roomscribe_common.contracts.livekit import LivekitEvent
from roomscribe_common.contracts.meeting import MeetingEnded, MeetingRequested, MeetingStarted
from roomscribe_common.contracts.stt import SttFinal, SttGap
from roomscribe_common.contracts.transcript import (
    TranscriptCompleted,
    TranscriptFinal,
    TranscriptGap,
    TranscriptRevised,
)
from roomscribe_common.stored import stored

from tests.chaos.evidence import Connection, Look, Stored

EventT = TypeVar("EventT", bound=AnyEvent)


async def read_meeting(nc: Client, meeting: str) -> Stored:
    """All of it."""

    async def all_of(event: type[EventT], stream: str, tail: str = "") -> list[EventT]:
        found = stored(nc, stream, f"{event.TYPE}.*.{meeting}{tail}")
        return [event.model_validate_json(message.data) async for message in found]

    started = await all_of(MeetingStarted, "MEETINGS")
    requested = await all_of(MeetingRequested, "MEETINGS")
    return Stored(
        finals=await all_of(TranscriptFinal, "TRANSCRIPTS"),
        revised=[event.data for event in await all_of(TranscriptRevised, "TRANSCRIPTS")],
        gaps=[event.data for event in await all_of(TranscriptGap, "TRANSCRIPTS")],
        completed=await all_of(TranscriptCompleted, "TRANSCRIPTS"),
        stt_finals=await all_of(SttFinal, "STT_RESULTS", ".>"),
        stt_gaps=await all_of(SttGap, "STT_RESULTS", ".>"),
        ended=await all_of(MeetingEnded, "MEETINGS"),
        minutes=len(await all_of(Minutes, "INSIGHTS")),
        started_at=next((e.data.started_at for e in [*started, *requested] if e.data.started_at is not None), None),
    )


class _Participant(BaseModel):
    model_config = ConfigDict(extra="ignore")

    sid: str = ""
    identity: str = ""
    joinedAtMs: int = 0
    joinedAt: int = 0


class _Webhook(BaseModel):
    model_config = ConfigDict(extra="ignore")

    event: str
    participant: _Participant = _Participant()
    createdAt: int = 0


async def connections(nc: Client, room: str, looks: list[Look]) -> list[Connection]:
    """Every connection to the room: its join as LiveKit dates it, its end when LiveKit told of it or listed it last."""
    found: dict[str, Connection] = {}
    for look in looks:
        for member in look.members or []:
            joined = found[member.sid].joined_at if member.sid in found else member.joined_at
            found[member.sid] = Connection(member.sid, member.identity, joined, look.at)
    async for message in stored(nc, "LIVEKIT", "livekit.v1.event.>"):
        data = LivekitEvent.model_validate_json(message.data).data
        hook = _Webhook.model_validate(data.body)
        who = hook.participant
        if data.room != room or not who.sid or not hook.event.startswith("participant_"):
            continue
        joined_at = who.joinedAtMs / 1000 or float(who.joinedAt)
        known = found.get(who.sid, Connection(who.sid, who.identity, joined_at, float(hook.createdAt)))
        found[who.sid] = Connection(known.sid, known.identity, known.joined_at, max(known.left_at, hook.createdAt))
    return list(found.values())
