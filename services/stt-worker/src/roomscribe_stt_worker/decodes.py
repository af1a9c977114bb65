"""The decodes of one utterance: interims while somebody speaks, one at each pause, and the one whose words stay."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import nats.errors
from roomscribe_common.contracts.audio import SAMPLE_RATE, ChunkHeaders
from roomscribe_common.contracts.stt import SttEndpoint, SttInterim

from roomscribe_stt_worker.adapters.decode_pool import DecodeHung, DecodePool, Kind
from roomscribe_stt_worker.domain import events, sentences
from roomscribe_stt_worker.domain.assembly import Assembly
from roomscribe_stt_worker.domain.events import Hearing
from roomscribe_stt_worker.domain.fairness import Owner
from roomscribe_stt_worker.domain.interims import InterimPolicy, Load
from roomscribe_stt_worker.domain.nonspeech import believe
from roomscribe_stt_worker.engines.protocol import Clip, EngineRefused, EngineUnavailable, Hypothesis
from roomscribe_stt_worker.progress import Progress

log = logging.getLogger(__name__)

_MARGIN = SAMPLE_RATE * 3 // 10
"""Decoded beyond the end of speech, for the soft end of a word."""


@dataclass(frozen=True, slots=True)
class Live:
    """Where what is heard goes while somebody speaks; it may be lost. No `interim`: none are made."""

    endpoint: Callable[[SttEndpoint], Awaitable[None]]
    interim: Callable[[SttInterim], Awaitable[None]] | None


@dataclass(frozen=True, slots=True)
class _Early:
    """A decode begun at a pause, of the audio up to `end`."""

    end: int
    task: "asyncio.Task[Hypothesis]"


class Decodes:
    """Of one attempt at one utterance; `stop` ends those that still run."""

    def __init__(
        self, hearing: Hearing, audio: Assembly, pool: DecodePool, live: Live | None, progress: Progress
    ) -> None:
        self._hearing = hearing
        self._audio = audio
        self._pool = pool
        self._live = live
        self._progress = progress
        self._owner = Owner(hearing.tenant, hearing.utterance.meeting_id)
        self._policy = InterimPolicy()
        self._draft: Hypothesis | None = None
        self._early: _Early | None = None
        self._hint: asyncio.Task[None] | None = None
        self._interim: asyncio.Task[None] | None = None
        self._pausing = False
        self._version = 0
        self._shown = ""

    def heard(self, chunk: ChunkHeaders, *, behind: bool) -> None:
        """A chunk came. `behind`: more are here already, or none will come, so there is nothing to begin."""
        pausing, self._pausing = self._pausing, chunk.pause
        if behind:
            return
        if chunk.pause:
            if not pausing:
                self._begin_early()
            return
        if self._hint is not None:
            self._hint.cancel()
        if self._early is not None and self._pool.late:
            self._early.task.cancel()  # somebody speaks on, and others wait
        if self._interim_due():
            self._interim = asyncio.create_task(self._make_interim(), name="interim")

    async def final(self, end: int) -> Hypothesis:
        """The words up to `end`: of the early decode if no speech came after it, else of a decode of everything.

        Raises what `DecodePool.decode` does.
        """
        early = self._early
        await self._stop(self._interim)
        if early is not None and early.end >= end and not early.task.cancelled():
            try:
                return await asyncio.shield(early.task)
            except EngineUnavailable:
                log.warning("early decode failed")
        return await self._decode(end + _MARGIN, Kind.FINAL)

    async def stop(self) -> None:
        """Nothing is wanted any more."""
        await self._stop(self._interim)
        await self._stop(self._early.task if self._early else None)
        await self._stop(self._hint)

    def _begin_early(self) -> None:
        if self._early is not None:
            self._early.task.cancel()
        end = self._audio.length
        task = asyncio.create_task(self._decode_early(end), name="early decode")
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # whoever needs it asks
        self._early = _Early(end, task)

    async def _decode_early(self, end: int) -> Hypothesis:
        hypothesis = await self._decode(end, Kind.EARLY)
        self._draft = hypothesis
        wait_s = sentences.over_after_s(hypothesis)
        if self._live is not None and wait_s is not None:
            self._hint = asyncio.create_task(self._hint_after(wait_s, self._live, end), name="endpoint")
        if wait_s != 0:  # else its final is as fast
            await self._show(end, hypothesis)
        return hypothesis

    async def _hint_after(self, wait_s: float, live: Live, end: int) -> None:
        await asyncio.sleep(wait_s)
        with contextlib.suppress(nats.errors.Error):
            await live.endpoint(events.endpoint(self._hearing, end))

    def _interim_due(self) -> bool:
        if self._live is None or self._live.interim is None:
            return False
        if self._interim is not None and not self._interim.done():
            return False
        load = Load.LATE if self._pool.late else Load.BUSY if self._pool.busy else Load.FREE
        return self._policy.due(self._audio.length / SAMPLE_RATE, load)

    async def _make_interim(self) -> None:
        end = self._audio.length
        try:
            hypothesis = await self._decode(end, Kind.INTERIM)
        except (EngineUnavailable, EngineRefused, DecodeHung) as error:
            log.warning("interim left out", extra={"error": type(error).__name__})
            return
        self._draft = hypothesis
        await self._show(end, hypothesis)

    async def _show(self, end: int, hypothesis: Hypothesis) -> None:
        """As an interim, unless it says what the one before said."""
        self._policy.decoded(end / SAMPLE_RATE)
        heard = believe(hypothesis, end / SAMPLE_RATE)
        if self._live is None or self._live.interim is None or not heard.text or heard.text == self._shown:
            return
        self._version += 1
        self._shown = heard.text
        with contextlib.suppress(nats.errors.Error):
            await self._live.interim(events.interim(self._hearing, self._version, end, heard))

    async def _decode(self, end: int, kind: Kind) -> Hypothesis:
        utterance = self._hearing.utterance
        samples, keyterms = self._audio.samples(end), tuple(utterance.keyterms)
        clip = Clip(samples, utterance.language, keyterms, self._draft, thorough=kind is not Kind.INTERIM)
        with self._progress.waiting():
            return await self._pool.decode(clip, kind, self._owner)

    @staticmethod
    async def _stop(task: "asyncio.Task[None] | asyncio.Task[Hypothesis] | None") -> None:
        """Cancels a task and waits for its end; how it ended matters no more."""
        if task is None or task.done():
            return
        task.cancel()
        await asyncio.wait([task])
