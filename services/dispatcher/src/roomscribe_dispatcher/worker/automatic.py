"""Attends rooms by rule, for LiveKit's own automatic dispatch carries no metadata and names no tenant."""

import logging
from collections.abc import Iterable
from typing import Final

from livekit import api
from pydantic import JsonValue
from roomscribe_common.boundary import one_of_many
from roomscribe_common.contracts.livekit import LivekitEvent
from roomscribe_common.errors import Retryable

from roomscribe_dispatcher.worker import wanted
from roomscribe_dispatcher.worker.marks import Marks
from roomscribe_dispatcher.worker.placement import Placement
from roomscribe_dispatcher.worker.rooms import Rooms

_ARRIVED: Final = "participant_joined"
"""Not `room_started`: a room that is made ahead would use up its one agent before anybody comes."""
_REMEMBERED: Final = 10_000
_NOBODY: Final = frozenset({"AGENT", "EGRESS"})

log = logging.getLogger(__name__)


class Automatic:
    """One agent for each session of a room that has a rule, as soon as somebody is in it; never a second."""

    def __init__(
        self, rules: list[wanted.AutoRule], tenant: str, placement: Placement, marks: Marks, rooms: Rooms
    ) -> None:
        self._rules = rules
        self._tenant = tenant
        self._placement = placement
        self._marks = marks
        self._rooms = rooms
        self._known: dict[str, None] = {}
        """Sessions that were attended or have no rule, the newest last."""

    async def heard(self, event: LivekitEvent) -> None:
        """A webhook: the quick way. It may be late, so LiveKit is asked for the room; or lost: see `look`."""
        data = event.data
        if data.event != _ARRIVED or data.room_sid in self._known or _kind(event) in _NOBODY:
            return
        if not any(rule.matches(data.room) for rule in self._rules):
            return
        try:
            room = await self._rooms.named(data.room)
            if room is not None and room.sid == data.room_sid:
                await self._attend(room)
        except Retryable as error:
            log.info("arrival not looked at, the next round will", extra={"error": error.reason})

    async def look(self, rooms: Iterable[api.Room]) -> None:
        """All rooms there are."""
        rooms = list(rooms)
        for room in rooms:
            if room.sid not in self._known and room.num_participants:  # LiveKit counts them every 5 s
                with one_of_many(log, "room with a rule not looked at"):
                    await self._attend(room)

    async def _attend(self, room: api.Room) -> None:
        command = wanted.of_rules(self._rules, room, self._tenant)
        if command is not None and not await self._marks.decided(room.sid):
            placed = await self._placement.place(room.sid, command)
            extra = {"room_sid": room.sid, "outcome": placed.outcome, "error": placed.detail}
            came = placed.outcome in ("placed", "attached")
            log.log(logging.INFO if came else logging.WARNING, "room with a rule", extra=extra)
            if placed.outcome in ("full", "failed"):
                return
        self._known[room.sid] = None
        if len(self._known) > _REMEMBERED:  # what is forgotten is asked of Redis
            del self._known[next(iter(self._known))]


def _kind(event: LivekitEvent) -> JsonValue:
    person = event.data.body.get("participant")
    return person.get("kind") if isinstance(person, dict) else None
