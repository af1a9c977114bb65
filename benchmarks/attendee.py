"""One participant, as a process of its own: joins and leaves rooms as it is told, and tells whom it sees when.

Reads `Order` lines from standard input, writes `Seen` lines to standard output.
"""

import asyncio
import os
import sys
import time
from typing import Literal

from livekit import rtc
from pydantic import BaseModel

_ANSWER_S = 15.0


class Order(BaseModel):
    """Join a room, and show oneself by `attributes` if there are any; without a `url`, leave it."""

    url: str = ""
    token: str = ""
    attributes: dict[str, str] = {}


class Seen(BaseModel):
    """What happened at which Unix time. `came` and `went` are the others in the room, the rest is oneself."""

    what: Literal["connecting", "connected", "shown", "left", "came", "went"]
    at: float
    identity: str = ""
    agent: bool = False


def _tell(what: Literal["connecting", "connected", "shown", "left"]) -> None:
    print(Seen(what=what, at=time.time()).model_dump_json(), flush=True)


def _tell_of(what: Literal["came", "went"], other: rtc.RemoteParticipant) -> None:
    agent = other.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
    seen = Seen(what=what, at=time.time(), identity=other.identity, agent=agent)
    print(seen.model_dump_json(), flush=True)


async def _join(order: Order) -> rtc.Room:
    room = rtc.Room()
    room.on("participant_connected", lambda other: _tell_of("came", other))  # pyright: ignore[reportUnknownMemberType, reportUnknownLambdaType, reportUnknownArgumentType]  # its callbacks are untyped
    room.on("participant_disconnected", lambda other: _tell_of("went", other))  # pyright: ignore[reportUnknownMemberType, reportUnknownLambdaType, reportUnknownArgumentType]  # as above
    _tell("connecting")
    await asyncio.wait_for(room.connect(order.url, order.token, rtc.RoomOptions(auto_subscribe=False)), _ANSWER_S)
    _tell("connected")
    if order.attributes:
        await asyncio.wait_for(room.local_participant.set_attributes(order.attributes), _ANSWER_S)
        _tell("shown")
    return room


async def _obey() -> None:
    room: rtc.Room | None = None
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = Order.model_validate_json(line)
        if room is not None:
            await asyncio.wait_for(room.disconnect(), _ANSWER_S)
            _tell("left")
        room = await _join(order) if order.url else None


def main() -> None:
    """Obeys until the end of its input."""
    asyncio.run(_obey())
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
