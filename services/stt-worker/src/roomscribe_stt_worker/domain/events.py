"""The events a worker publishes about an utterance, from what was decided."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from roomscribe_common.contracts.audio import SAMPLE_RATE
from roomscribe_common.contracts.base import AnyEvent, Data, SttModel, Word
from roomscribe_common.contracts.stt import (
    GapReason,
    SttEndpoint,
    SttEndpointData,
    SttFinal,
    SttFinalData,
    SttGap,
    SttGapData,
    SttInterim,
    SttInterimData,
    SttTiming,
    Utterance,
)
from roomscribe_common.subjects import subject_of

from roomscribe_stt_worker.domain.assembly import Hole
from roomscribe_stt_worker.domain.nonspeech import Heard

_SAMPLES_PER_MS = SAMPLE_RATE // 1000

EventT = TypeVar("EventT", bound=AnyEvent)


@dataclass(frozen=True, slots=True)
class Hearing:
    """Who listens to what: the utterance, for whom, the how manieth time, and with which engine."""

    utterance: Utterance
    tenant: str
    attempt: int
    source: str
    stt: SttModel

    @property
    def speech_ms(self) -> int:
        """Where somebody began to speak in the meeting."""
        return self.utterance.start_ms + self.utterance.pre_roll_ms

    def at_ms(self, sample: int) -> int:
        """A sample's place in the meeting."""
        return self.utterance.start_ms + to_ms(sample)


def to_ms(samples: int) -> int:
    """Samples of bus audio as whole milliseconds."""
    return samples // _SAMPLES_PER_MS


def interim(hearing: Hearing, version: int, samples: int, heard: Heard) -> SttInterim:
    """The words so far, after `samples`."""
    utterance, end_ms = hearing.utterance, hearing.at_ms(samples)
    data = SttInterimData(
        utterance=utterance,
        attempt=hearing.attempt,
        version=version,
        end_ms=end_ms,
        text=heard.text,
        words=spread(heard.text, hearing.speech_ms, end_ms),
        confidence=round(heard.confidence, 3),
        stt=hearing.stt,
    )
    return _event(SttInterim, f"interim:{utterance.utterance_id}:{hearing.attempt}:{version}", hearing, data)


def endpoint(hearing: Hearing, samples: int) -> SttEndpoint:
    """The hint that a sentence ends there."""
    utterance = hearing.utterance
    data = SttEndpointData(
        utterance_id=utterance.utterance_id,
        meeting_id=utterance.meeting_id,
        track_id=utterance.track.id,
        up_to_sample=samples,
    )
    return _event(SttEndpoint, f"endpoint:{utterance.utterance_id}:{samples}", hearing, data)


@dataclass(frozen=True, slots=True)
class Said:
    """What a final says: the words, their language, the end of speech and of the audio, in samples."""

    heard: Heard
    language: str
    speech_end: int
    audio_end: int
    truncated: bool
    timing: SttTiming | None = None


def final(hearing: Hearing, said: Said) -> SttFinal:
    """The one final of the utterance, whoever makes it."""
    utterance, end_ms = hearing.utterance, hearing.at_ms(said.speech_end)
    data = SttFinalData(
        utterance=utterance,
        attempt=hearing.attempt,
        end_ms=end_ms,
        text=said.heard.text,
        words=spread(said.heard.text, hearing.speech_ms, end_ms),
        confidence=round(said.heard.confidence, 3),
        language=said.language,
        stt=hearing.stt,
        audio_ms=to_ms(said.audio_end),
        truncated=said.truncated,
        timing=said.timing,
    )
    return _event(SttFinal, f"final:{utterance.utterance_id}", hearing, data)


def hole(hearing: Hearing, lost: Hole) -> SttGap:
    """Audio missing inside an utterance that still gets its final."""
    return _gap(hearing, lost, "audio_lost", whole=False)


def lost_utterance(hearing: Hearing, samples: int, reason: GapReason) -> SttGap:
    """An utterance that gets no final."""
    return _gap(hearing, Hole(0, samples), reason, whole=True)


def _gap(hearing: Hearing, lost: Hole, reason: GapReason, *, whole: bool) -> SttGap:
    utterance = hearing.utterance
    name = f"{utterance.utterance_id}:{'whole' if whole else lost.start}"
    data = SttGapData(
        gap_id=f"gap_{hashlib.sha256(name.encode()).hexdigest()[:24]}",
        utterance_id=utterance.utterance_id,
        meeting_id=utterance.meeting_id,
        room=utterance.room,
        epoch=utterance.epoch,
        participant=utterance.participant,
        track=utterance.track,
        start_ms=hearing.at_ms(lost.start),
        end_ms=hearing.at_ms(lost.end),
        reason=reason,
        whole=whole,
    )
    return _event(SttGap, f"gap:{name}", hearing, data)


def spread(text: str, start_ms: int, end_ms: int) -> list[Word]:
    """The words with times estimated from their lengths, for the engine gives none."""
    parts: Sequence[str] = text.split()
    start_ms = min(start_ms, end_ms)
    total = sum(len(part) + 1 for part in parts)
    words, before = list[Word](), 0
    for part in parts:
        after = before + len(part) + 1
        at = [start_ms + (end_ms - start_ms) * place // total for place in (before, after)]
        words.append(Word(text=part, start_ms=at[0], end_ms=at[1], timing="estimated"))
        before = after
    return words


def _event(kind: type[EventT], id: str, hearing: Hearing, data: Data) -> EventT:
    utterance = hearing.utterance
    subject = subject_of(kind, hearing.tenant, utterance.meeting_id, utterance.track.id, utterance.utterance_id)
    return kind.new(id=id, source=hearing.source, subject=subject, tenant=hearing.tenant, data=data)
