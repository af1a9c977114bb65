"""Follows one utterance from its first chunk to its outcome, with interims and an early decode on the way."""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from nats.aio.msg import Msg
from roomscribe_common.contracts.audio import SAMPLE_RATE, ChunkHeaders
from roomscribe_common.contracts.stt import SttFinal, SttGap, SttTiming

from roomscribe_stt_worker.adapters.decode_pool import DecodePool
from roomscribe_stt_worker.decodes import Decodes, Live
from roomscribe_stt_worker.domain import events
from roomscribe_stt_worker.domain.assembly import Assembly
from roomscribe_stt_worker.domain.events import Hearing, Said
from roomscribe_stt_worker.domain.nonspeech import believe
from roomscribe_stt_worker.domain.voicing import has_voice
from roomscribe_stt_worker.engines.protocol import EngineRefused
from roomscribe_stt_worker.progress import Progress

log = logging.getLogger(__name__)

QUIET_BEATS = 10
"""So many seconds without a chunk, the server answering all the while, and the audio is over."""
LATE_BEATS = 1
"""The same once only late ones can be missing: the last chunk is here, what is here is old, or the agent is gone."""
LONGEST = 15 * SAMPLE_RATE
"""Utterances are cut at this length: how long one was at most, where nothing of its audio is left to say."""


def age_s(msg: Msg) -> float:
    """Seconds since the server stored the message; below 0 where our clock is behind its clock."""
    return (datetime.now(UTC) - msg.metadata.timestamp).total_seconds()


@dataclass(frozen=True, slots=True)
class Patience:
    """When nothing more is waited for: on chunks stored `old_s` ago nothing follows, nor once the agent is `gone`."""

    old_s: float
    gone: Callable[[], Awaitable[bool]]


class AudioSource(Protocol):
    """Where chunks come from; see `AudioReader`."""

    @property
    def behind(self) -> bool:
        """More chunks are waiting already."""
        ...

    async def next(self) -> Msg | None:
        """The next chunk; None for each second the server says there is none."""
        ...

    async def end(self, newest: Msg, last: ChunkHeaders) -> bool:
        """Puts a last chunk behind the newest; False if there is a newer one."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an utterance came to: a final, or a gap that stands for all of it; and the gaps inside it."""

    final: SttFinal | None
    gaps: list[SttGap] = field(default_factory=list[SttGap])
    waited_s: float | None = None
    """From the cut of the last chunk until now."""


class Session:
    """One attempt at one utterance."""

    def __init__(
        self,
        hearing: Hearing,
        source: AudioSource,
        pool: DecodePool,
        live: Live | None,
        progress: Progress,
        patience: Patience,
    ) -> None:
        """Without `live` nothing is said before the end."""
        self._hearing = hearing
        self._source = source
        self._progress = progress
        self._patience = patience
        self._newest: Msg | None = None
        self._audio = Assembly(hearing.utterance.utterance_id)
        self._decodes = Decodes(hearing, self._audio, pool, live, progress)

    async def run(self) -> Outcome:
        """Listens to the end and decodes. Raises `EngineUnavailable` or `DecodeHung`: another attempt may succeed."""
        try:
            await self._listen()
            return await self._conclude()
        finally:
            await self._decodes.stop()

    async def _listen(self) -> None:
        quiet = 0
        while not self._audio.complete:
            message = await self._source.next()
            self._progress.made()
            quiet = quiet + 1 if message is None else 0
            if message is not None:
                self._newest = message
                self._take(message)
            elif quiet >= (LATE_BEATS if await self._is_over() else QUIET_BEATS) and await self._end():
                return

    async def _end(self) -> bool:
        """Ends the utterance with what is here. False: the speaker, whom the bus had lost, has just gone on."""
        if self._audio.last is not None or self._newest is None:
            return True
        return await self._source.end(self._newest, self._audio.end)

    async def _is_over(self) -> bool:
        if self._audio.last is not None:
            return True
        if self._newest is not None and age_s(self._newest) > self._patience.old_s:
            return True
        return await self._patience.gone()

    def _take(self, message: Msg) -> None:
        try:
            chunk = ChunkHeaders.from_headers(message.headers)
            self._audio.add(chunk, message.data)
        except ValueError as error:
            log.error("audio chunk refused", extra={"reason": str(error)})
            return
        self._decodes.heard(chunk, behind=chunk.last or self._source.behind)

    async def _conclude(self) -> Outcome:
        audio, hearing = self._audio, self._hearing
        if not audio.received:
            return Outcome(None, [events.lost_utterance(hearing, audio.length or LONGEST, "audio_lost")])
        began = time.monotonic()
        end = audio.speech_end
        try:
            hypothesis = await self._decodes.final(end)
        except EngineRefused as error:
            log.error("engine refused the audio", extra={"reason": str(error)})
            return Outcome(None, [events.lost_utterance(hearing, audio.length, "stt_failed")])
        timing = self._timing(time.monotonic() - began)
        heard = believe(hypothesis, end / SAMPLE_RATE, lambda: has_voice(audio.samples(end)))
        truncated = audio.last is None or audio.last.truncated
        said = Said(heard, hypothesis.language, end, audio.length, truncated, timing)
        waited_s = None if timing is None else (timing.decode_ms + timing.other_ms) / 1000
        gaps = [events.hole(hearing, hole) for hole in audio.holes()]
        return Outcome(events.final(hearing, said), gaps, waited_s)

    def _timing(self, decode_s: float) -> SttTiming | None:
        last = self._audio.last
        if last is None or not last.sent_at_ms:
            return None
        decode_ms = round(decode_s * 1000)
        began_ms = round(self._hearing.utterance.started_at.timestamp() * 1000)
        return SttTiming(
            hangover_ms=max(0, last.sent_at_ms - began_ms - events.to_ms(self._audio.speech_end)),
            decode_ms=decode_ms,
            other_ms=max(0, round(time.time() * 1000) - last.sent_at_ms - decode_ms),
        )
