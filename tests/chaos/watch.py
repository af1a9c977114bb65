"""Watches one meeting from outside while it happens: LiveKit's participants, plain NATS subscribers, the API."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from livekit import api
from nats.aio.client import Client
from nats.aio.msg import Msg
from roomscribe_cli.client import Gateway, ServerSentEvent
from roomscribe_common.contracts.transcript import TranscriptFinal

from tests.chaos.evidence import Live, Look, Member

_EVERY_S = 0.25
_PRESSURE = Path("/proc/pressure/cpu")
"""The kernel's pressure stall information."""
_ANSWER_S = 2.0


async def watch_room(livekit: api.LiveKitAPI, room: str, looks: list[Look]) -> None:
    """Asks LiveKit who is in the room, four times a second, until cancelled."""
    while True:
        asked, waited_s = time.time(), _waited_for_a_processor_s()
        looks.append(Look(asked, await members(livekit, room), waited_s))
        await asyncio.sleep(max(0.0, asked + _EVERY_S - time.time()))


def _waited_for_a_processor_s() -> float:
    """For how long, since the machine was started, something had to wait for a processor; 0 where nobody counts it."""
    with contextlib.suppress(OSError):
        return int(_PRESSURE.read_text().split("total=", 1)[1].split()[0]) / 1e6
    return 0.0


async def members(livekit: api.LiveKitAPI, room: str) -> list[Member] | None:
    try:
        async with asyncio.timeout(_ANSWER_S):
            answer = await livekit.room.list_participants(api.ListParticipantsRequest(room=room))
    except api.TwirpError as error:
        return [] if error.code == "not_found" else None
    except (OSError, TimeoutError, ValueError):
        return None
    return [
        Member(p.sid, p.identity, p.kind == api.ParticipantInfo.AGENT, p.joined_at_ms / 1000 or float(p.joined_at))
        for p in answer.participants
        if p.state != api.ParticipantInfo.DISCONNECTED
    ]


@asynccontextmanager
async def hearing(nc: Client, meeting: str, live: Live) -> AsyncGenerator[None]:
    """Subscribes as anybody may: to the finals, the interims, and the utterances that are opened."""

    async def on_final(msg: Msg) -> None:
        live.finals.append((time.time(), TranscriptFinal.model_validate_json(msg.data).data))

    async def on_interim(_: Msg) -> None:
        live.interims.append(time.time())

    async def on_opened(msg: Msg) -> None:
        data = json.loads(msg.data)["data"]
        live.opened.setdefault(data["utterance_id"], time.time())

    wanted = {
        f"transcript.v1.final.*.{meeting}": on_final,
        f"transcript.v1.interim.*.{meeting}": on_interim,
        f"stt.v1.utterance.*.{meeting}.>": on_opened,
    }
    subscriptions = [await nc.subscribe(subject, cb=callback) for subject, callback in wanted.items()]  # pyright: ignore[reportUnknownMemberType]  # its `future` is untyped
    await nc.flush(timeout=5)
    try:
        yield
    finally:
        for subscription in subscriptions:
            await subscription.unsubscribe()


async def follow(gateway: Gateway, meeting: str, told: list[ServerSentEvent]) -> None:
    """Reads the gateway's event stream to its end, resuming by `Last-Event-ID` whenever it breaks off."""
    async for event in gateway.events(meeting):
        told.append(event)
