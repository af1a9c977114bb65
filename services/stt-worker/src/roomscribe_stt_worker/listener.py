"""What is done with a work item: hear the utterance, store the result. How it is claimed and settled is in `claims`."""

import asyncio
from dataclasses import dataclass

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from roomscribe_common.contracts.base import SttModel
from roomscribe_common.contracts.stt import UtteranceOpened
from roomscribe_common.errors import Permanent, Retryable
from roomscribe_common.reader import Reader
from roomscribe_common.subjects import Subject, audio_subject, parse

from roomscribe_stt_worker.adapters.agents import Agents
from roomscribe_stt_worker.adapters.attempts import Attempts
from roomscribe_stt_worker.adapters.audio_reader import AudioReader
from roomscribe_stt_worker.adapters.decode_pool import DecodePool
from roomscribe_stt_worker.adapters.results import Results
from roomscribe_stt_worker.decodes import Live
from roomscribe_stt_worker.domain.events import Hearing, lost_utterance
from roomscribe_stt_worker.engines.protocol import Engine
from roomscribe_stt_worker.metrics import Metrics
from roomscribe_stt_worker.progress import Progress
from roomscribe_stt_worker.session import LONGEST, Outcome, Patience, Session, age_s

_CLAIM_S = 4.0
"""An item that stood in line for so long in a process that stood still may have been heard by another."""
SESSION_S = 300.0
"""No utterance takes so long, whatever is done to it; its audio is gone by then."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the settings decide about listening."""

    interims: bool
    max_attempts: int
    source: str
    old_s: float = 30.0
    """After twice the longest utterance no more of it comes, by the server's clock and ours, which are nearly the same.
    So a queue that stood still for minutes does not wait for each utterance in turn."""


class Listener:
    """Turns work items into stored results."""

    def __init__(
        self,
        nc: Client,
        js: JetStreamContext,
        results: Results,
        pool: DecodePool,
        engine: Engine,
        metrics: Metrics,
        policy: Policy,
    ) -> None:
        self._nc = nc
        self._js = js
        self._results = results
        self._pool = pool
        self._metrics = metrics
        self._policy = policy
        self._attempts = Attempts(results.bus, js)
        self._agents = Agents(js)
        self._stt = SttModel(provider=engine.provider, model=engine.model)
        self._items = Reader(UtteranceOpened)
        self.max_attempts = policy.max_attempts
        """After so many an utterance becomes a gap."""

    async def hear(self, msg: Msg, progress: Progress) -> str:
        """Hears the utterance out and stores what it came to; returns that in a word.

        Raises `Permanent` for an item that can never be heard, `Retryable`, `EngineUnavailable` or `DecodeHung`
        where another attempt may succeed.
        """
        event = self._items.read(msg.subject, msg.data)
        place = _place(event)
        if (msg.metadata.num_delivered > 1 or age_s(msg) > _CLAIM_S) and await self._results.settled(place):
            return "done_before"
        progress.attempt = attempt = await self._attempts.begin(place)
        hearing = Hearing(event.data, event.tenant, attempt, self._policy.source, self._stt)
        if attempt == 1:
            self._metrics.begun(age_s(msg))
        if attempt > self.max_attempts:
            length = await self._results.audio_length(_audio(place))
            await self._results.gap(lost_utterance(hearing, length or LONGEST, "stt_failed"))
            raise Permanent(f"given up after {attempt - 1} attempts")
        if age_s(msg) > self._policy.old_s and not await self._results.has_audio(_audio(place)):
            return await self._store(Outcome(None, [lost_utterance(hearing, LONGEST, "audio_lost")]), place)
        return await self._store(await self._heard(hearing, place, progress), place)

    async def _heard(self, hearing: Hearing, place: Subject, progress: Progress) -> Outcome:
        async with AudioReader(self._nc, self._js, _audio(place)) as audio:
            live = Live(self._results.endpoint, self._results.interim if self._policy.interims else None)
            patience = Patience(self._policy.old_s, lambda: self._agents.is_gone(hearing))
            session = Session(hearing, audio, self._pool, live, progress, patience)
            try:
                async with asyncio.timeout(SESSION_S):
                    return await session.run()
            except TimeoutError as error:
                raise Retryable(f"not heard out in {SESSION_S:g} s") from error

    async def forget(self, msg: Msg) -> None:
        """The item is acknowledged: its audio is needed no more."""
        await self._results.purge_audio(parse(msg.subject))

    async def _store(self, outcome: Outcome, place: Subject) -> str:
        doubtful = outcome.final is None or outcome.final.data.truncated
        # Audio may be missing because another worker was faster and purged it.
        if doubtful and await self._results.settled(place):
            return "done_before"
        for gap in outcome.gaps:
            await self._results.gap(gap)
        if outcome.final is None:
            return "gap"
        if not await self._results.final(outcome.final):
            return "done_before"
        if outcome.waited_s is not None:
            self._metrics.waited(outcome.waited_s)
        if outcome.final.data.truncated:
            return "truncated"
        return "final" if outcome.final.data.text else "empty"


def _place(event: UtteranceOpened) -> Subject:
    place, utterance = parse(event.subject), event.data
    if (place.meeting, place.track, place.utterance) != (
        utterance.meeting_id,
        utterance.track.id,
        utterance.utterance_id,
    ):
        raise Permanent("the subject names another meeting, track or utterance than the data")
    return place


def _audio(place: Subject) -> str:
    assert place.track is not None
    assert place.utterance is not None
    return audio_subject(place.tenant, place.meeting, place.track, place.utterance)
