"""Watches, while a LiveKit connection is repaired, from when to when nothing could be heard over it."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from livekit import rtc

from roomscribe_media_ingest.room.people import RoomListener

log = logging.getLogger(__name__)

_LOOK_S: Final = 0.1
_SILENT_S: Final = 0.8
"""An open microphone sends fifty packets a second, one in silence at least two."""
_LATE_S: Final = 5.0
"""After the repair; an open microphone is heard by then."""
_ANSWER_S: Final = 1.0


class MediaWatch:
    """LiveKit tells of a lost connection late: of one that went silent after its pings have failed for 15 s. And a lost
    signal connection says nothing of the sound. When the last packet came tells both.
    """

    def __init__(self, microphone: Callable[[], rtc.Track | None], listener: RoomListener) -> None:
        """`microphone`: one that is open and subscribed to, if there is any."""
        self._microphone = microphone
        self._listener = listener
        self._repaired_at: float | None = None
        self._watching: asyncio.Task[None] | None = None

    def lost(self) -> None:
        """The connection is being repaired."""
        self._repaired_at = None
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch(), name="media watch")

    def repaired(self) -> None:
        """It is there again."""
        self._repaired_at = time.monotonic()

    async def close(self) -> None:
        """Looks no more."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])

    async def _watch(self) -> None:
        deaf = False
        while (track := self._microphone()) is not None:
            silent_s = await _silent_s(track)
            if silent_s is not None and deaf != (silent_s > _SILENT_S):
                deaf = not deaf
                if deaf:
                    self._listener.deaf(silent_s)
                else:
                    self._listener.hears(silent_s)
            since_s = self._since_repair_s()
            if since_s is not None and (since_s > _LATE_S or (silent_s is not None and silent_s < since_s)):
                break
            await asyncio.sleep(_LOOK_S)
        if deaf and (since_s := self._since_repair_s()) is not None:
            self._listener.hears(since_s)  # nobody sends: the repair is all that is known

    def _since_repair_s(self) -> float | None:
        return None if self._repaired_at is None else time.monotonic() - self._repaired_at


async def _silent_s(track: rtc.Track) -> float | None:
    """Seconds since anything came over the track's connection; None if it does not say."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            stats = await track.get_stats()
    except Exception:  # the SDK raises no narrower one for a track that has just gone
        log.debug("no statistics of a track", exc_info=True)
        return None
    pairs = [each.candidate_pair for each in stats if each.WhichOneof("stats") == "candidate_pair"]
    newest = max(pairs, key=lambda pair: pair.candidate_pair.last_packet_received_timestamp, default=None)
    if newest is None or not newest.candidate_pair.last_packet_received_timestamp:
        return None
    return max(0.0, newest.rtc.timestamp / 1e6 - newest.candidate_pair.last_packet_received_timestamp / 1e3)
