"""The hole while no agent heard the meeting, told as one gap of everybody once the agent hears again."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator, Callable
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray
from roomscribe_common.contracts.base import AnyEvent, Participant, Track
from roomscribe_common.contracts.stt import SttGap, SttGapData
from roomscribe_common.subjects import subject_of

from roomscribe_media_ingest.adapters.clock import MeetingClock
from roomscribe_media_ingest.room.people import Frames
from roomscribe_media_ingest.room.place import SOURCE, Place

_FIRST_SOUND_S: Final = 5.0
"""An open microphone is heard by then; without one there is nothing to wait for."""
_EVERYBODY: Final = Participant(identity="_", name="everybody")
_EVERYWHERE: Final = Track(id="_", source="unknown")


class Absence:
    """An agent of a later epoch begins absent, and so is one that lost its connection. Once it is `back` in the room it
    hears again with the first sound.
    """

    def __init__(self, place: Place, clock: MeetingClock, tell: Callable[[AnyEvent], None]) -> None:
        self._place = place
        self._clock = clock
        self._tell = tell
        self._since_ms: float | None = None
        self._back_ms = 0.0
        self._returns = 0
        self._anybody = False
        self._back = asyncio.Event()
        self._sound = asyncio.Event()

    @property
    def heard_until(self) -> datetime:
        """Until when the meeting was heard; now, if it is."""
        ago_ms = 0.0 if self._since_ms is None else self._clock.now_ms() - self._since_ms
        return self._clock.now() - timedelta(milliseconds=ago_ms)

    def began(self, heard_until: datetime | None, *, anybody: bool) -> None:
        """The agent hears nothing, from now or that moment on; `anybody`: people are, or were, there then."""
        if self._since_ms is None:
            now_ms = self._clock.now_ms()
            self._since_ms = now_ms if heard_until is None else min(now_ms, self._ms(heard_until))
        self._anybody = self._anybody or anybody
        self._back.clear()
        self._sound.clear()

    def away(self) -> None:
        """The connection is lost: an absence that lasts goes on at least until the agent is `back`."""
        self._back.clear()

    def back(self, first_came: datetime | None) -> None:
        """The agent is in the room. `first_came`: of the people who are there, none if there are not."""
        if self._since_ms is not None and first_came is not None and not self._anybody:
            # Nobody was there to be heard before.
            self._anybody = True
            self._since_ms = max(self._since_ms, self._ms(first_came))
        self._back_ms = self._clock.now_ms()
        self._returns += 1
        self._back.set()

    def noticing(self, frames: Frames) -> Frames:
        """The same frames; the first one ends the absence."""
        return frames if self._since_ms is None else lambda: self._noticed(frames)

    async def run(self, heard: Callable[[], None]) -> None:
        """Ends each absence, for ever, and calls `heard` after it."""
        while True:
            await self._back.wait()
            returns = self._returns
            if self._since_ms is None:
                self._back.clear()
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FIRST_SOUND_S):
                    await self._sound.wait()
            if returns != self._returns or not self._back.is_set():
                continue  # lost again before it heard: one hole, from the first loss to the last return
            self._back.clear()
            self.end(self._clock.now_ms() if self._sound.is_set() else self._back_ms)
            heard()

    def end(self, until_ms: float | None = None) -> None:
        """Tells the hole if there is one: until that moment, or until now for an agent that leaves without a sound."""
        if self._since_ms is None:
            return
        start_ms, end_ms = self._since_ms, self._clock.now_ms() if until_ms is None else until_ms
        self._since_ms = None
        if self._anybody and end_ms > start_ms:
            self._tell(self._gap(round(max(0.0, start_ms)), round(end_ms)))
        self._anybody = False

    def _ms(self, moment: datetime) -> float:
        return self._clock.now_ms() - (self._clock.now() - moment).total_seconds() * 1000

    async def _noticed(self, frames: Frames) -> AsyncGenerator[NDArray[np.int16], None]:
        async with contextlib.aclosing(frames()) as decoded:
            async for pcm in decoded:
                self._sound.set()
                yield pcm

    def _gap(self, start_ms: int, end_ms: int) -> SttGap:
        place = self._place
        # Of its epoch and its beginning: whoever tells it again tells the same.
        name = uuid.uuid5(uuid.NAMESPACE_OID, f"{place.tenant} {place.meeting_id} {place.epoch} {start_ms}").hex
        gap_id = f"gap_{name}"
        data = SttGapData(
            gap_id=gap_id,
            utterance_id=gap_id,
            meeting_id=place.meeting_id,
            room=place.room,
            epoch=place.epoch,
            participant=_EVERYBODY,
            track=_EVERYWHERE,
            start_ms=start_ms,
            end_ms=end_ms,
            reason="agent_lost",
            whole=False,
        )
        subject = subject_of(SttGap, place.tenant, place.meeting_id, _EVERYWHERE.id, gap_id)
        return SttGap.new(id=f"gap:{name}", source=SOURCE, subject=subject, tenant=place.tenant, data=data)
