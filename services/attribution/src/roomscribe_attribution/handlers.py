"""What attribution does with each message."""

import logging
from datetime import UTC, datetime

from roomscribe_common.bus import Bus, WrongSequence
from roomscribe_common.contracts.meeting import MeetingEnded
from roomscribe_common.contracts.stt import SttFinal, SttGap, SttInterim
from roomscribe_common.contracts.transcript import (
    TranscriptCompleted,
    TranscriptCompletedData,
    TranscriptFinal,
    TranscriptGap,
)
from roomscribe_common.delivery import Delivery
from roomscribe_common.errors import Permanent, Retryable
from roomscribe_common.subjects import parse, subject_of

from roomscribe_attribution import domain
from roomscribe_attribution.adapters.numbering import Numbering
from roomscribe_attribution.adapters.results import Results

log = logging.getLogger(__name__)


class Attribution:
    """Finals, interims and gaps of speech to text into those of the transcript."""

    def __init__(self, bus: Bus, numbering: Numbering, shown: domain.ShownInterims) -> None:
        self._bus = bus
        self._numbering = numbering
        self._shown = shown

    async def final(self, event: SttFinal, delivery: Delivery) -> None:
        """Numbers what was said; what nobody said is withdrawn."""
        utterance = event.data.utterance
        domain.check_place(event.subject, utterance.meeting_id, utterance.utterance_id)
        self._shown.close(utterance.utterance_id)
        if event.data.text == "":
            await self._bus.publish_core(domain.withdrawal_of_silence(event))
            return
        await self._numbering.append(
            subject_of(TranscriptFinal, event.tenant, utterance.meeting_id),
            domain.final_id(utterance.utterance_id),
            lambda sequence: domain.to_final(event, sequence),
        )

    async def gap(self, event: SttGap, delivery: Delivery) -> None:
        """Passes a gap on once; where no final will come, what was shown is withdrawn."""
        lost = event.data
        domain.check_place(event.subject, lost.meeting_id, lost.utterance_id)
        if lost.whole:
            self._shown.close(lost.utterance_id)
            await self._bus.publish_core(domain.withdrawal_of_lost(event))
        await self._numbering.append(
            subject_of(TranscriptGap, event.tenant, lost.meeting_id),
            domain.gap_id(lost),
            lambda _: domain.to_gap(event),
        )

    async def interim(self, event: SttInterim) -> None:
        """Shows the words so far, unless something newer was shown."""
        heard, utterance = event.data, event.data.utterance
        domain.check_place(event.subject, utterance.meeting_id, utterance.utterance_id)
        if self._shown.advance(utterance.utterance_id, heard.attempt, heard.version):
            await self._bus.publish_core(domain.to_interim(event))

    async def published(self, event: TranscriptFinal) -> None:
        """Another replica may have had the final: its late interims must not be shown here either."""
        self._shown.close(event.data.segment_id)


class Completion:
    """Says that a meeting's transcript is whole, once every utterance is accounted for."""

    def __init__(self, bus: Bus, numbering: Numbering, results: Results, waiting: domain.Waiting) -> None:
        self._bus = bus
        self._numbering = numbering
        self._results = results
        self._waiting = waiting

    async def ended(self, event: MeetingEnded, delivery: Delivery) -> None:
        """Publishes `TranscriptCompleted`, or asks to be called again: the wait is the consumer's, not ours."""
        tenant, meeting = event.tenant, event.data.meeting_id
        if parse(event.subject).meeting != meeting:
            raise Permanent(f"the data names meeting {meeting}, the subject is {event.subject}")
        complete = await self._is_complete(tenant, meeting)
        again_after_s = self._waiting.again_after_s(delivery.deliveries)
        if not complete and again_after_s is not None:
            raise Retryable("speech to text is not done with the meeting", again_after_s)
        await self._publish(event, complete)

    async def _is_complete(self, tenant: str, meeting: str) -> bool:
        # In this order: a worker stores its result before it gives up the item.
        if await self._results.is_working(tenant, meeting):
            return False
        finals = await self._results.finals(tenant, meeting)
        numbered, _ = await self._numbering.read(subject_of(TranscriptFinal, tenant, meeting))
        for utterance in domain.unnumbered(finals, numbered):
            if not await self._results.is_silent(finals[utterance]):
                return False
        gaps = await self._results.gaps(tenant, meeting)
        if not gaps:
            return True
        told, _ = await self._numbering.read(subject_of(TranscriptGap, tenant, meeting))
        return all(domain.gap_id(gap.data) in told for gap in gaps)

    async def _publish(self, event: MeetingEnded, complete: bool) -> None:
        tenant, meeting = event.tenant, event.data.meeting_id
        told, _ = await self._numbering.read(subject_of(TranscriptCompleted, tenant, meeting))
        if told:
            return
        segments, last_sequence = await self._numbering.read(subject_of(TranscriptFinal, tenant, meeting))
        now = datetime.now(UTC)
        data = TranscriptCompletedData(
            meeting_id=meeting,
            room=event.data.room,
            completed_at=now,
            segments=len(segments),
            last_sequence=last_sequence,
            complete=complete,
        )
        completed = TranscriptCompleted.new(
            id=f"completed:{meeting}",
            source=domain.SOURCE,
            subject=subject_of(TranscriptCompleted, tenant, meeting),
            tenant=tenant,
            data=data,
            time=now,
        )
        try:
            await self._bus.publish(completed, expected_last_subject_sequence=0)
        except WrongSequence:
            return
        if not complete:
            log.warning("transcript completed without all results", extra={"meeting": meeting, "tenant": tenant})
