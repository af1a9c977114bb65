"""A whole transcript becomes minutes."""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.insight import ActionItem, Cited, Minutes, MinutesData
from roomscribe_common.contracts.transcript import TranscriptCompleted
from roomscribe_common.contracts.usage import LlmUsage, LlmUsageData
from roomscribe_common.delivery import Delivery
from roomscribe_common.subjects import subject_of

from roomscribe_summarizer.adapters.transcripts import Transcripts
from roomscribe_summarizer.domain.check import check
from roomscribe_summarizer.domain.draft import Draft, Spent, Statement
from roomscribe_summarizer.domain.transcript import Transcript
from roomscribe_summarizer.engines.protocol import Engine, Written

log = logging.getLogger(__name__)

Publish = Callable[[AnyEvent], Awaitable[object]]


class Summarizer:
    """Writes a meeting's minutes once its transcript is whole."""

    def __init__(self, transcripts: Transcripts, engine: Engine, publish: Publish, source: str) -> None:
        self._transcripts = transcripts
        self._engine = engine
        self._publish = publish
        self._source = source

    async def on_completed(self, event: TranscriptCompleted, _: Delivery) -> None:
        """Publishes the tokens used, then the minutes; nothing if minutes of these segments are there already."""
        data = event.data
        # The dedupe window ends, and asking a model twice costs: so the stored state decides.
        before = await self._transcripts.last_minutes(event.tenant, data.meeting_id)
        if before is not None and before.data.last_sequence >= data.last_sequence:
            return
        transcript = await self._transcripts.read(event.tenant, data.meeting_id, data.room, data.last_sequence)
        written = await self._write(transcript)
        for spent in written.spent:
            await self._publish(self._usage(event, spent))
        await self._publish(self._minutes(event, transcript, written))

    async def _write(self, transcript: Transcript) -> Written:
        if not any(segment.text.strip() for segment in transcript.segments):
            return Written(Draft(transcript.title or transcript.room), "extractive")
        written = await self._engine.write(transcript)
        checked = check(written.draft, transcript)
        if checked.dropped or checked.cleared:
            log.info(
                "items without a valid citation left out",
                extra={"dropped": checked.dropped, "cleared": checked.cleared},
            )
        return Written(checked.draft, written.method, written.model, written.spent)

    def _minutes(self, event: TranscriptCompleted, transcript: Transcript, written: Written) -> Minutes:
        draft, meeting_id = written.draft, event.data.meeting_id
        data = MinutesData(
            meeting_id=meeting_id,
            room=event.data.room,
            title=draft.title or transcript.room,
            method=written.method,
            model=written.model,
            language=transcript.language,
            generated_at=datetime.now(UTC),
            last_sequence=transcript.last_sequence,
            summary=[_cited(one) for one in draft.summary],
            topics=[_cited(one) for one in draft.topics],
            decisions=[_cited(one) for one in draft.decisions],
            action_items=[
                ActionItem(text=task.text, segment_ids=list(task.segment_ids), owner=task.owner, due=task.due)
                for task in draft.tasks
            ],
            open_questions=[_cited(one) for one in draft.questions],
        )
        return Minutes.new(
            id=f"minutes:{meeting_id}:{transcript.last_sequence}",
            source=self._source,
            subject=subject_of(Minutes, event.tenant, meeting_id),
            tenant=event.tenant,
            data=data,
        )

    def _usage(self, event: TranscriptCompleted, spent: Spent) -> LlmUsage:
        data = LlmUsageData(
            meeting_id=event.data.meeting_id,
            request_id=spent.request_id,
            provider=spent.provider,
            model=spent.model,
            input_tokens=spent.input_tokens,
            cached_input_tokens=spent.cached_input_tokens,
            output_tokens=spent.output_tokens,
            at=datetime.now(UTC),
        )
        return LlmUsage.new(
            id=f"llm:{spent.request_id}",
            source=self._source,
            subject=subject_of(LlmUsage, event.tenant, event.data.meeting_id),
            tenant=event.tenant,
            data=data,
        )


def _cited(statement: Statement) -> Cited:
    return Cited(text=statement.text, segment_ids=list(statement.segment_ids))
