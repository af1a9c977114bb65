"""Looks at LiveKit's rooms every few seconds: LiveKit gives a dispatch out once, and to nobody if nobody is there."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from livekit import api
from roomscribe_common.boundary import one_of_many
from roomscribe_common.errors import Retryable

from roomscribe_dispatcher.domain import Meeting
from roomscribe_dispatcher.worker import wanted
from roomscribe_dispatcher.worker.automatic import Automatic
from roomscribe_dispatcher.worker.jobs import Jobs
from roomscribe_dispatcher.worker.marks import Marks
from roomscribe_dispatcher.worker.placement import PATIENCE_S, Placement
from roomscribe_dispatcher.worker.rooms import Rooms

log = logging.getLogger(__name__)

_ROUND_S: Final = 5.0
_CALM_AFTER_S: Final = 60.0
"""So long after registering every round looks for dispatches that found nobody; after that, every sixth."""
_CALM_ROUNDS: Final = 6
_ONE_ROUND_S: Final = 60.0
_AT_ONCE: Final = 8
_UNDELIVERED_S: Final = 8.0
"""LiveKit lists a job up to 6 s after it gave it out."""
_UNDECIDED_S: Final = 2 * PATIENCE_S
_FORGOTTEN_S: Final = 3600.0
"""A dispatch that was delivered so long ago was decided, even if Redis has lost that."""


class Rounds:
    """Places what was dispatched while no dispatcher was there, and the rooms that have a rule."""

    def __init__(
        self,
        agent_name: str,
        tenant: str,
        rooms: Rooms,
        marks: Marks,
        placement: Placement,
        find: Callable[[str, str], Awaitable[Meeting | None]],
        automatic: Automatic,
        jobs: Jobs,
    ) -> None:
        self._agent_name = agent_name
        self._tenant = tenant
        self._rooms = rooms
        self._marks = marks
        self._placement = placement
        self._find = find
        self._automatic = automatic
        self._jobs = jobs
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def run(self, registered: asyncio.Event, stopping: asyncio.Event) -> None:
        """Until stopped."""
        count, calm_from = 0, time.monotonic() + _CALM_AFTER_S
        while not stopping.is_set():
            if not registered.is_set():
                calm_from = time.monotonic() + _CALM_AFTER_S
            try:
                async with asyncio.timeout(_ONE_ROUND_S):
                    await self._round(time.monotonic() < calm_from or count % _CALM_ROUNDS == 0)
            except (Retryable, TimeoutError) as error:
                log.warning("rooms not looked at", extra={"error": str(error) or "took too long"})
            count += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ROUND_S):
                    await stopping.wait()

    async def _round(self, dispatches: bool) -> None:
        await self._jobs.tidy()
        if not await self._marks.turn(_ROUND_S * 0.9):
            return
        rooms = await self._rooms.all()
        await self._automatic.look(rooms)
        if dispatches:
            await asyncio.gather(*(self._look(room) for room in rooms))

    async def _look(self, room: api.Room) -> None:
        async with self._slots:
            with one_of_many(log, "a room's dispatches not looked at"):
                for dispatch in await self._rooms.dispatches(room.name):
                    if self._left_behind(dispatch) and not await self._marks.decided(dispatch.id):
                        await self._place(room, dispatch)

    def _left_behind(self, dispatch: api.AgentDispatch) -> bool:
        """Whether it is ours and had its time to reach a dispatcher."""
        if dispatch.agent_name != self._agent_name or dispatch.state.deleted_at:
            return False
        age_s = time.time() - dispatch.state.created_at / 1e9
        if not dispatch.state.jobs:
            return age_s >= _UNDELIVERED_S
        return _UNDECIDED_S <= age_s < _FORGOTTEN_S

    async def _place(self, room: api.Room, dispatch: api.AgentDispatch) -> None:
        try:
            command = wanted.of_dispatch(dispatch.metadata, room, dispatch.id, self._tenant)
        except wanted.BadMetadata as error:
            log.warning("dispatch refused", extra={"dispatch": dispatch.id, "error": f"metadata: {error}"})
            await self._placement.decide(dispatch.id)
            return
        if await self._find(command.tenant, command.spec.meeting_id) is not None:
            await self._placement.decide(dispatch.id)  # Redis had lost that
            return
        placed = await self._placement.place(dispatch.id, command)
        extra = {"dispatch": dispatch.id, "outcome": placed.outcome, "error": placed.detail}
        log.info("dispatch that reached no dispatcher", extra=extra)
