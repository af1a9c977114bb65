"""Feeds a track from one source until that ends, or until it is told to stop and has fed what was heard by then."""

import asyncio
import contextlib
import logging
import time
from typing import Final

from roomscribe_media_ingest.adapters.track_audio import TrackAudio
from roomscribe_media_ingest.room.people import Frames

log = logging.getLogger(__name__)

QUEUED_S: Final = 1.0
"""How long it goes on once it is told to stop. A minute of queued frames is fed in less."""
_WAITED_S: Final = 0.05
"""A frame that took so long, asked for after the stop, was not in the queue: it is of now. Frames are of 96 ms."""


class Reader:
    """One source of one track."""

    def __init__(self, frames: Frames, audio: TrackAudio, before: "Reader | None" = None) -> None:
        """`before`: the source that this one replaces; what it has left is fed first."""
        self._audio = audio
        self._stopped_at: float | None = None
        self.drained = asyncio.Event()
        """Nothing is fed any more."""
        if before is not None:
            before.stop()
        self.task = asyncio.create_task(self._run(frames, before), name="track")

    def stop(self) -> None:
        """The source is gone, or no longer wanted."""
        if self._stopped_at is None:
            self._stopped_at = time.monotonic()
            late = asyncio.get_running_loop().call_later(QUEUED_S, self.task.cancel)
            self.task.add_done_callback(lambda _: late.cancel())

    async def _run(self, frames: Frames, before: "Reader | None") -> None:
        """A fault in one track is that track's end, not the meeting's."""
        try:
            if before is not None:
                await before.drained.wait()
            async with contextlib.aclosing(frames()) as decoded:
                try:
                    asked_at = time.monotonic()
                    async for pcm in decoded:
                        waited_s = time.monotonic() - asked_at
                        self._audio.feed(pcm)
                        if self._stopped_at is not None and asked_at > self._stopped_at and waited_s > _WAITED_S:
                            return
                        asked_at = time.monotonic()
                finally:
                    self._end()
        except Exception:
            log.exception("track could not be read on")
        finally:
            self._end()

    def _end(self) -> None:
        if not self.drained.is_set():
            self._audio.mute()
            self.drained.set()
