"""Follows one utterance from its first chunk to its outcome, with interims and an early decode on the way."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import nats.errors
from nats.aio.msg import Msg
from roomscribe_common.contracts.audio import SAMPLE_RATE, ChunkHeaders
from roomscribe_common.contracts.stt import SttFinal, SttGap, SttInterim, SttTiming

from roomscribe_stt_worker.adapters.decode_pool import DecodeHung, DecodePool, Kind
from roomscribe_stt_worker.domain import events
from roomscribe_stt_worker.domain.assembly import Assembly
from roomscribe_stt_worker.domain.events import Hearing, Said
from roomscribe_stt_worker.domain.interims import InterimPolicy
from roomscribe_stt_worker.domain.nonspeech import believe
from roomscribe_stt_worker.engines.protocol import Clip, EngineRefused, EngineUnavailable, Hypothesis

log = logging.getLogger(__name__)

QUIET_BEATS = 10
"""So many seconds without a chunk, the server answering all the while, and the audio is over."""
LATE_BEATS = 1
"""The same once only late ones can be missing: the last chunk is here, or what is here is old."""
LONGEST = 15 * SAMPLE_RATE
"""Utterances are cut at this length: how long one was at most, where nothing of its audio is left to say."""
_MARGIN = SAMPLE_RATE * 3 // 10
"""Decoded beyond the end of speech, for the soft end of a word."""


def age_s(msg: Msg) -> float:
    """Seconds since the server stored the message; below 0 where our clock is behind its clock."""
    return (datetime.now(UTC) - msg.metadata.timestamp).total_seconds()


class Progress:
    """When an utterance last got on. Its claim is extended only while it does."""

    def __init__(self) -> None:
        self._made_at = time.monotonic()

    def made(self) -> None:
        """Something came, or was done."""
        self._made_at = time.monotonic()

    @property
    def age_s(self) -> float:
        """Seconds since."""
        return time.monotonic() - self._made_at


class AudioSource(Protocol):
    """Where chunks come from; see `AudioReader`."""

    @property
    def behind(self) -> bool:
        """More chunks are waiting already."""
        ...

    async def next(self) -> Msg | None:
        """The next chunk; None for each second the server says there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an utterance came to: a final, or a gap that stands for all of it; and the gaps inside it."""

    final: SttFinal | None
    gaps: list[SttGap] = field(default_factory=list[SttGap])
    waited_s: float | None = None
    """From the cut of the last chunk until now."""


@dataclass(frozen=True, slots=True)
class _Early:
    """A decode begun at a pause, of the audio up to `end`."""

    end: int
    task: "asyncio.Task[Hypothesis]"


class Session:
    """One attempt at one utterance."""

    def __init__(
        self,
        hearing: Hearing,
        source: AudioSource,
        pool: DecodePool,
        show: Callable[[SttInterim], Awaitable[None]] | None,
        progress: Progress,
        old_s: float,
    ) -> None:
        """`show` publishes interims; None makes none. Nothing more follows on chunks stored `old_s` ago."""
        self._hearing = hearing
        self._source = source
        self._pool = pool
        self._show = show
        self._progress = progress
        self._old_s = old_s
        self._newest: Msg | None = None
        self._audio = Assembly(hearing.utterance.utterance_id)
        self._policy = InterimPolicy()
        self._draft: Hypothesis | None = None
        self._early: _Early | None = None
        self._interim: asyncio.Task[None] | None = None
        self._pausing = False
        self._version = 0
        self._shown = ""

    async def run(self) -> Outcome:
        """Listens to the end and decodes. Raises `EngineUnavailable` or `DecodeHung`: another attempt may succeed."""
        try:
            await self._listen()
            return await self._conclude()
        finally:
            await self._stop(self._interim)
            await self._stop(self._early.task if self._early else None)

    async def _listen(self) -> None:
        quiet = 0
        while not self._audio.complete:
            message = await self._source.next()
            self._progress.made()
            quiet = quiet + 1 if message is None else 0
            if message is not None:
                self._newest = message
                self._take(message)
            elif quiet >= (LATE_BEATS if self._is_over() else QUIET_BEATS):
                return

    def _is_over(self) -> bool:
        if self._audio.last is not None:
            return True
        return self._newest is not None and age_s(self._newest) > self._old_s

    def _take(self, message: Msg) -> None:
        try:
            chunk = ChunkHeaders.from_headers(message.headers)
            self._audio.add(chunk, message.data)
        except ValueError as error:
            log.error("audio chunk refused", extra={"reason": str(error)})
            return
        pausing, self._pausing = self._pausing, chunk.pause
        if chunk.last or self._source.behind:
            return
        if chunk.pause:
            if not pausing:
                self._begin_early()
        elif self._interim_due():
            self._interim = asyncio.create_task(self._make_interim(), name="interim")

    def _begin_early(self) -> None:
        if self._early is not None:
            self._early.task.cancel()
        end = self._audio.length
        task = asyncio.create_task(self._decode(end, Kind.EARLY), name="early decode")
        self._early = _Early(end, task)
        task.add_done_callback(self._early_done)

    def _early_done(self, task: "asyncio.Task[Hypothesis]") -> None:
        if not task.cancelled() and task.exception() is None:
            self._draft = task.result()

    def _interim_due(self) -> bool:
        if self._show is None or (self._interim is not None and not self._interim.done()):
            return False
        return self._policy.due(self._audio.length / SAMPLE_RATE, self._pool.busy)

    async def _make_interim(self) -> None:
        end = self._audio.length
        try:
            hypothesis = await self._decode(end, Kind.INTERIM)
        except (EngineUnavailable, EngineRefused, DecodeHung) as error:
            log.warning("interim left out", extra={"error": type(error).__name__})
            return
        self._draft = hypothesis
        heard = believe(hypothesis, end / SAMPLE_RATE)
        self._policy.decoded(end / SAMPLE_RATE, understood=bool(heard.text))
        if self._show is not None and heard.text and heard.text != self._shown:
            self._version += 1
            self._shown = heard.text
            with contextlib.suppress(nats.errors.Error):
                await self._show(events.interim(self._hearing, self._version, end, heard))

    async def _conclude(self) -> Outcome:
        audio, hearing = self._audio, self._hearing
        if not audio.received:
            return Outcome(None, [events.lost_utterance(hearing, audio.length or LONGEST, "audio_lost")])
        began = time.monotonic()
        end = audio.speech_end
        try:
            hypothesis = await self._final_words(end)
        except EngineRefused as error:
            log.error("engine refused the audio", extra={"reason": str(error)})
            return Outcome(None, [events.lost_utterance(hearing, audio.length, "stt_failed")])
        timing = self._timing(time.monotonic() - began)
        heard = believe(hypothesis, end / SAMPLE_RATE)
        truncated = audio.last is None
        said = Said(heard, hypothesis.language, end, audio.length, truncated, timing)
        waited_s = None if timing is None else (timing.decode_ms + timing.other_ms) / 1000
        gaps = [events.hole(hearing, hole) for hole in audio.holes()]
        return Outcome(events.final(hearing, said), gaps, waited_s)

    async def _final_words(self, end: int) -> Hypothesis:
        """The early decode if no speech came after it, else a decode of everything."""
        early = self._early
        await self._stop(self._interim)
        if early is not None and early.end >= end and not early.task.cancelled():
            try:
                return await asyncio.shield(early.task)
            except EngineUnavailable:
                log.warning("early decode failed")
        return await self._decode(end + _MARGIN, Kind.FINAL)

    async def _decode(self, end: int, kind: Kind) -> Hypothesis:
        utterance = self._hearing.utterance
        samples, keyterms = self._audio.samples(end), tuple(utterance.keyterms)
        clip = Clip(samples, utterance.language, keyterms, self._draft, thorough=kind is not Kind.INTERIM)
        hypothesis = await self._pool.decode(clip, kind)
        self._progress.made()
        return hypothesis

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

    @staticmethod
    async def _stop(task: "asyncio.Task[None] | asyncio.Task[Hypothesis] | None") -> None:
        """Cancels a task and waits for its end; how it ended matters no more."""
        if task is None or task.done():
            return
        task.cancel()
        await asyncio.wait([task])
