"""Polls of LiveKit's rooms: the evidence that remains when webhooks are lost."""

import asyncio
from collections.abc import Iterable, Sequence

import aiohttp
from livekit.api import LiveKitAPI, TwirpError
from livekit.protocol.models import ParticipantInfo
from livekit.protocol.room import ListParticipantsRequest, ListRoomsRequest

from roomscribe_usage_metering.adapters.store import Room
from roomscribe_usage_metering.domain.evidence import ConnectionSeen, RoomPolled


class LivekitUnavailable(Exception):
    """LiveKit did not answer; the poll is left out."""


class LivekitRooms:
    """Asks LiveKit who is in a room."""

    def __init__(self, api: LiveKitAPI, timeout_s: float) -> None:
        self._api = api
        self._timeout_s = timeout_s

    async def open_sids(self, names: Sequence[str]) -> set[str]:
        """The SIDs of those of the named rooms that are open. Raises `LivekitUnavailable`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                found = await self._api.room.list_rooms(ListRoomsRequest(names=names))
        except (TwirpError, aiohttp.ClientError, TimeoutError) as error:
            raise LivekitUnavailable(type(error).__name__) from error
        return {room.sid for room in found.rooms}

    async def poll(self, room: Room, at_ms: int) -> RoomPolled:
        """Everybody active in the room. Raises `LivekitUnavailable`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                found = await self._api.room.list_participants(ListParticipantsRequest(room=room.name))
        except (TwirpError, aiohttp.ClientError, TimeoutError) as error:
            raise LivekitUnavailable(type(error).__name__) from error
        return RoomPolled(room_sid=room.sid, at_ms=at_ms, present=present(found.participants, room.sid, at_ms))


def present(participants: Iterable[ParticipantInfo], room_sid: str, at_ms: int) -> tuple[ConnectionSeen, ...]:
    """Those whose connection is active; one that is still being made may yet be aborted, and then is free."""
    return tuple(_seen(who, room_sid, at_ms) for who in participants if who.state == ParticipantInfo.ACTIVE)


def _seen(who: ParticipantInfo, room_sid: str, at_ms: int) -> ConnectionSeen:
    return ConnectionSeen(
        room_sid=room_sid,
        participant_sid=who.sid,
        identity=who.identity,
        participant_kind=ParticipantInfo.Kind.Name(who.kind),
        joined_ms=who.joined_at_ms or who.joined_at * 1000 or None,
        seen_ms=at_ms,
    )
