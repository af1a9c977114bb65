"""The tracks that are heard: one reader and one `TrackAudio` each, for as long as the track has its id."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from roomscribe_common.contracts.agent import Counters
from roomscribe_common.contracts.base import AnyEvent, Participant, Track

from roomscribe_media_ingest.adapters.track_audio import TrackAudio
from roomscribe_media_ingest.room.people import Frames, Person
from roomscribe_media_ingest.room.reader import QUEUED_S, Reader

log = logging.getLogger(__name__)

_READER_S = 5.0
"""How long a reader may take to let go of its source."""


@dataclass(slots=True)
class _Heard:
    participant_sid: str
    audio: TrackAudio
    publishing: asyncio.Task[None]
    reader: Reader


class Tracks:
    """All tracks of a room. Methods never wait, except `close`."""

    def __init__(self, listen: Callable[[Participant, Track], TrackAudio], tell: Callable[[AnyEvent], None]) -> None:
        """`tell` is given the gap of all speech that did not reach the bus in time."""
        self._listen = listen
        self._tell = tell
        self._heard: dict[str, _Heard] = {}
        self._ending: dict[asyncio.Task[None], TrackAudio] = {}
        self._before = Counters()

    @property
    def counters(self) -> Counters:
        """The sums over all tracks there ever were."""
        sums = self._before.model_dump()
        for audio in (*(heard.audio for heard in self._heard.values()), *self._ending.values()):
            for name, value in audio.counters.model_dump().items():
                sums[name] += value
        return Counters(**sums)

    @property
    def unsent_since_ms(self) -> int | None:
        """Since when the bus has not taken what is said, in Unix milliseconds; None if it has all."""
        audios = (*(heard.audio for heard in self._heard.values()), *self._ending.values())
        return min((since for audio in audios if (since := audio.unsent_since_ms) is not None), default=None)

    def start(self, person: Person, track: Track, frames: Frames) -> None:
        """Hears a track; if it was heard already its source was replaced, and the new one is read."""
        heard = self._heard.get(track.id)
        if heard is not None:
            heard.reader = Reader(frames, heard.audio, heard.reader)
            return
        audio = self._listen(person.participant, track)
        publishing = asyncio.create_task(audio.run())
        self._heard[track.id] = _Heard(person.sid, audio, publishing, Reader(frames, audio))

    def pause(self, track_id: str) -> None:
        """The track cannot be heard for now."""
        if (heard := self._heard.get(track_id)) is not None:
            heard.reader.stop()

    def mute(self, track_id: str) -> None:
        """The track was muted: what was open is over."""
        if (heard := self._heard.get(track_id)) is not None:
            heard.audio.mute()

    def sentence_over(self, track_id: str, utterance_id: str, up_to_sample: int) -> None:
        """Somebody seems to be done with a sentence."""
        if (heard := self._heard.get(track_id)) is not None:
            heard.audio.sentence_over(utterance_id, up_to_sample)

    def rename(self, person: Person) -> None:
        """Somebody's tracks go by another name."""
        for heard in self._heard.values():
            if heard.participant_sid == person.sid:
                heard.audio.rename(person.name)

    def stop(self, track_id: str) -> None:
        """The track is gone; what it said goes on to the bus, which may be away: it has until the meeting ends."""
        if (heard := self._heard.pop(track_id, None)) is not None:
            self._end(heard, None)

    def stop_all_of(self, participant_sid: str) -> None:
        """Somebody is gone, and so are their tracks."""
        for track_id in [key for key, heard in self._heard.items() if heard.participant_sid == participant_sid]:
            self.stop(track_id)

    def stop_all_but(self, participant_sids: set[str]) -> None:
        """Only these people are there."""
        for heard in list(self._heard.values()):
            if heard.participant_sid not in participant_sids:
                self.stop_all_of(heard.participant_sid)

    async def close(self, timeout_s: float) -> set[str]:
        """Ends all tracks and waits, within the time, until what they said is on the bus, or its gap is told.

        Returns what was said last on each track.
        """
        for track_id in list(self._heard):
            self._end(self._heard.pop(track_id), timeout_s)
        audios = list(self._ending.values())
        if self._ending:
            _, late = await asyncio.wait(self._ending, timeout=QUEUED_S + timeout_s + 1)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1)
        return {audio.last_utterance_id for audio in audios if audio.last_utterance_id is not None}

    def _end(self, heard: _Heard, timeout_s: float | None) -> None:
        heard.reader.stop()
        task = asyncio.create_task(self._finish(heard, timeout_s))
        self._ending[task] = heard.audio
        task.add_done_callback(self._ended)

    async def _finish(self, heard: _Heard, timeout_s: float | None) -> None:
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2 * QUEUED_S):
                    await heard.reader.drained.wait()
            if not await heard.audio.close(timeout_s):
                log.error("speech of a track did not reach the bus in time")
        finally:
            heard.publishing.cancel()
            for gap in heard.audio.give_up():
                self._tell(gap)
        await asyncio.wait([heard.publishing, heard.reader.task], timeout=_READER_S)

    def _ended(self, task: asyncio.Task[None]) -> None:
        counters = self._ending.pop(task).counters
        sums = {name: value + getattr(counters, name) for name, value in self._before.model_dump().items()}
        self._before = Counters(**sums)
