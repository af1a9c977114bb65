"""Who said it, and what a reader of the transcript is told. Pure: no clock, no bus."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from roomscribe_common.contracts.base import Participant, SttModel
from roomscribe_common.contracts.stt import SttFinal, SttGap, SttGapData, SttInterim, Utterance
from roomscribe_common.contracts.transcript import (
    Speaker,
    TranscriptFinal,
    TranscriptFinalData,
    TranscriptGap,
    TranscriptGapData,
    TranscriptInterim,
    TranscriptInterimData,
)
from roomscribe_common.errors import Permanent
from roomscribe_common.subjects import parse, subject_of

SOURCE: Final = "attribution"
_VERSIONS_PER_ATTEMPT: Final = 100_000
_NO_MODEL: Final = SttModel(provider="none", model="none")


def final_id(segment_id: str, revision: int = 1) -> str:
    """The event id of a segment's revision: a second event with it is a duplicate."""
    return f"final:{segment_id}:{revision}"


def gap_id(gap: SttGapData) -> str:
    """The event id of a gap."""
    return f"gap:{gap.gap_id}"


def check_place(subject: str, meeting_id: str, utterance_id: str) -> None:
    """Raises `Permanent` if the data names another meeting or utterance than the subject it came on."""
    place = parse(subject)
    if (place.meeting, place.utterance) != (meeting_id, utterance_id):
        raise Permanent(f"the data names utterance {utterance_id} of meeting {meeting_id}, the subject is {subject}")


def speaker_of(participant: Participant) -> Speaker:
    """The owner of the track is the one who speaks on it."""
    return Speaker(id=participant.identity, label=participant.name, basis="track", confidence=1.0)


def to_final(event: SttFinal, sequence: int) -> TranscriptFinal:
    """The segment's first revision, as number `sequence` of its meeting."""
    heard, utterance = event.data, event.data.utterance
    data = TranscriptFinalData(
        segment_id=utterance.utterance_id,
        revision=1,
        sequence=sequence,
        meeting_id=utterance.meeting_id,
        room=utterance.room,
        participant=utterance.participant,
        speaker=speaker_of(utterance.participant),
        track=utterance.track,
        start_ms=utterance.start_ms,
        end_ms=max(heard.end_ms, utterance.start_ms),
        started_at=utterance.started_at,
        text=heard.text,
        language=heard.language,
        confidence=heard.confidence,
        words=heard.words,
        stt=heard.stt,
        truncated=heard.truncated,
        timing=heard.timing,
    )
    return TranscriptFinal.new(
        id=final_id(utterance.utterance_id),
        source=SOURCE,
        subject=subject_of(TranscriptFinal, event.tenant, utterance.meeting_id),
        tenant=event.tenant,
        data=data,
    )


def to_interim(event: SttInterim) -> TranscriptInterim:
    """The words so far. Its `version` orders interims of every attempt: a reader keeps the highest."""
    heard = event.data
    data = _interim(heard.utterance, heard.attempt * _VERSIONS_PER_ATTEMPT + heard.version, heard.end_ms, heard.stt)
    shown = data.model_copy(update={"text": heard.text, "words": heard.words, "confidence": heard.confidence})
    return _interim_event(event.tenant, shown)


def withdrawal_of_silence(event: SttFinal) -> TranscriptInterim:
    """Takes back whatever was shown of an utterance in which nobody spoke."""
    heard = event.data
    last_version = (heard.attempt + 1) * _VERSIONS_PER_ATTEMPT - 1
    return _interim_event(event.tenant, _interim(heard.utterance, last_version, heard.end_ms, heard.stt))


def withdrawal_of_lost(event: SttGap) -> TranscriptInterim:
    """Takes back whatever was shown of an utterance that will have no final."""
    lost = event.data
    data = TranscriptInterimData(
        segment_id=lost.utterance_id,
        revision=1,
        version=2**31 - 1,
        meeting_id=lost.meeting_id,
        room=lost.room,
        participant=lost.participant,
        speaker=speaker_of(lost.participant),
        track=lost.track,
        start_ms=lost.start_ms,
        end_ms=lost.end_ms,
        started_at=event.time,
        text="",
        language="und",
        confidence=0,
        stt=_NO_MODEL,
    )
    return _interim_event(event.tenant, data)


def to_gap(event: SttGap) -> TranscriptGap:
    """What was said and not kept, for readers."""
    lost = event.data
    data = TranscriptGapData(
        gap_id=lost.gap_id,
        meeting_id=lost.meeting_id,
        room=lost.room,
        participant=lost.participant,
        track=lost.track,
        segment_id=lost.utterance_id,
        start_ms=lost.start_ms,
        end_ms=max(lost.end_ms, lost.start_ms),
        reason=lost.reason,
    )
    return TranscriptGap.new(
        id=gap_id(lost),
        source=SOURCE,
        subject=subject_of(TranscriptGap, event.tenant, lost.meeting_id),
        tenant=event.tenant,
        data=data,
    )


def _interim(utterance: Utterance, version: int, end_ms: int, stt: SttModel) -> TranscriptInterimData:
    return TranscriptInterimData(
        segment_id=utterance.utterance_id,
        revision=1,
        version=version,
        meeting_id=utterance.meeting_id,
        room=utterance.room,
        participant=utterance.participant,
        speaker=speaker_of(utterance.participant),
        track=utterance.track,
        start_ms=utterance.start_ms,
        end_ms=max(end_ms, utterance.start_ms),
        started_at=utterance.started_at,
        text="",
        language=utterance.language,
        confidence=0,
        stt=stt,
    )


def _interim_event(tenant: str, data: TranscriptInterimData) -> TranscriptInterim:
    return TranscriptInterim.new(
        id=f"interim:{data.segment_id}:{data.version}",
        source=SOURCE,
        subject=subject_of(TranscriptInterim, tenant, data.meeting_id),
        tenant=tenant,
        data=data,
    )


class ShownInterims:
    """What was shown last of each utterance, so that nothing older, and nothing after the final, is shown.

    Holds the newest `limit` utterances; interims may be lost, so forgetting an old one does no harm.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._shown: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def advance(self, utterance_id: str, attempt: int, version: int) -> bool:
        """True if this interim is newer than what was shown, which it then is."""
        if (attempt, version) <= self._shown.get(utterance_id, (0, 0)):
            return False
        self._keep(utterance_id, (attempt, version))
        return True

    def close(self, utterance_id: str) -> None:
        """The utterance has its final (or will have none): show no further interim of it."""
        self._keep(utterance_id, (float("inf"), 0))

    def _keep(self, utterance_id: str, version: tuple[float, int]) -> None:
        self._shown[utterance_id] = version
        self._shown.move_to_end(utterance_id)
        if len(self._shown) > self._limit:
            self._shown.popitem(last=False)


class Waiting:
    """How an ended meeting waits for its last finals: asked again soon at first, then every second, up to a limit."""

    QUICK_S: Final = 0.25
    SLOW_S: Final = 1.0
    QUICK_TRIES: Final = 20

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s

    def again_after_s(self, deliveries: int) -> float | None:
        """The pause before the next look; None once the time is up. Counted in looks, not by the clock:
        time in which no replica ran was no wait.
        """
        quick = min(deliveries - 1, self.QUICK_TRIES)
        waited_s = quick * self.QUICK_S + (deliveries - 1 - quick) * self.SLOW_S
        if waited_s >= self._limit_s:
            return None
        return self.QUICK_S if deliveries <= self.QUICK_TRIES else self.SLOW_S


def unnumbered(utterances: Iterable[str], numbered: frozenset[str]) -> list[str]:
    """The utterances that have a result but no numbered segment: silent ones, and those still to come."""
    return [utterance for utterance in utterances if final_id(utterance) not in numbered]
