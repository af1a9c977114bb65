"""An utterance on its way out: its announcement, its chunks, and the gap it becomes if they are lost."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from roomscribe_common.contracts.audio import SAMPLE_RATE, ChunkHeaders
from roomscribe_common.contracts.base import Participant, Track
from roomscribe_common.contracts.stt import GapReason, SttGap, SttGapData, Utterance, UtteranceOpened
from roomscribe_common.subjects import audio_subject, subject_of

SOURCE = "roomscribe/media-ingest"
BYTES_PER_SAMPLE = 2
BYTES_PER_S = BYTES_PER_SAMPLE * SAMPLE_RATE
SAMPLES_PER_MS = SAMPLE_RATE // 1000


@dataclass(frozen=True, slots=True)
class TrackMeta:
    """What every utterance of a track says of where it comes from. `started_at` is the meeting's time zero."""

    tenant: str
    meeting_id: str
    room: str
    epoch: int
    started_at: datetime
    participant: Participant
    track: Track
    language: str = "en"
    keyterms: tuple[str, ...] = ()

    def utterance(self, utterance_id: str, start_ms: int, pre_roll_ms: int = 0) -> Utterance:
        """The utterance that begins `start_ms` after the meeting's start, its speech `pre_roll_ms` later."""
        return Utterance(
            utterance_id=utterance_id,
            meeting_id=self.meeting_id,
            room=self.room,
            epoch=self.epoch,
            participant=self.participant,
            track=self.track,
            started_at=self.started_at + timedelta(milliseconds=start_ms),
            start_ms=start_ms,
            pre_roll_ms=pre_roll_ms,
            language=self.language,
            keyterms=list(self.keyterms),
        )


@dataclass(frozen=True, slots=True)
class Chunk:
    """One message of audio."""

    headers: ChunkHeaders
    body: bytes


@dataclass(slots=True)
class Outgoing:
    """An utterance being recorded or waiting for the bus. `samples`: its length so far."""

    tenant: str
    utterance: Utterance
    chunks: deque[Chunk] = field(default_factory=deque[Chunk])
    samples: int = 0
    offset: int = 0
    """Samples that went out under another id, see `rest`."""
    seq: int = 0
    closed: bool = False
    begun: bool = False
    """It may be on the bus already."""
    announcing: bool = False
    """Its work item may be on the bus."""
    announced: bool = False
    """Its work item is on the bus."""
    stored: int = 0
    """Stream sequence of its latest chunk on the bus."""
    dropped: bool = False
    """Its audio is gone; `samples` still says how long it was."""

    @property
    def end_ms(self) -> int:
        """Where its audio ends so far, from the meeting's start."""
        return self.utterance.start_ms + self.samples // SAMPLES_PER_MS

    @property
    def subject(self) -> str:
        """Where its chunks go."""
        place = self.utterance
        return audio_subject(self.tenant, place.meeting_id, place.track.id, place.utterance_id)

    def opened(self) -> UtteranceOpened:
        """The work item."""
        place = self.utterance
        return UtteranceOpened.new(
            id=f"opened:{place.utterance_id}",
            source=SOURCE,
            subject=subject_of(UtteranceOpened, self.tenant, place.meeting_id, place.track.id, place.utterance_id),
            tenant=self.tenant,
            data=place,
        )

    def append(self, body: bytes, *, sent_at_ms: int, pause: bool = False, speech_end: int | None = None) -> None:
        """The next chunk. `speech_end` is given with the last one: samples from the start to the end of speech."""
        headers = ChunkHeaders(
            utterance_id=self.utterance.utterance_id,
            seq=self.seq,
            first_sample=self.samples,
            pause=pause,
            last=speech_end is not None,
            speech_end_sample=None if speech_end is None else max(0, speech_end - self.offset),
            sent_at_ms=sent_at_ms,
        )
        self.chunks.append(Chunk(headers, body))
        self.seq += 1
        self.samples += len(body) // BYTES_PER_SAMPLE
        self.closed = speech_end is not None

    def rest(self, utterance_id: str) -> "Outgoing":
        """What was not sent, as an utterance of its own: its worker has ended this one with what it had."""
        first = self.chunks[0].headers.first_sample
        past_ms = first // SAMPLES_PER_MS
        place = self.utterance
        changes = {
            "utterance_id": utterance_id,
            "start_ms": place.start_ms + past_ms,
            "started_at": place.started_at + timedelta(milliseconds=past_ms),
            "pre_roll_ms": max(0, place.pre_roll_ms - past_ms),
        }
        rest = Outgoing(self.tenant, place.model_copy(update=changes), offset=self.offset + first)
        for chunk in self.chunks:
            end = chunk.headers.speech_end_sample
            relative = None if end is None else end + self.offset
            sent_at_ms, pause = chunk.headers.sent_at_ms, chunk.headers.pause
            rest.append(chunk.body, sent_at_ms=sent_at_ms, pause=pause, speech_end=relative)
        return rest

    @property
    def silent(self) -> bool:
        """Whether nobody speaks in it: it is the end of an utterance, behind the last word."""
        return self.closed and not self.chunks[-1].headers.speech_end_sample

    def gap(self) -> SttGap:
        """What is said instead of a dropped utterance. Its id derives from the utterance's: said twice, it is one."""
        return self._gap(place_ms=self.utterance.start_ms, name=self.utterance.utterance_id, reason="buffer_full")

    def given_up(self) -> SttGap | None:
        """What is said instead of the chunks that were not sent; None if nothing can be heard in them.

        Without its work item the utterance is lost whole. Else, also where the item's ack may be lost, what was sent
        gets its final, cut off where the gap begins.
        """
        if self.dropped:
            return self.gap()
        if not self.announcing:
            name = self.utterance.utterance_id
            return self._gap(place_ms=self.utterance.start_ms, name=name, reason="audio_lost")
        if not any(chunk.body for chunk in self.chunks):
            return None
        first, name = self.chunks[0].headers.first_sample, self.utterance.utterance_id
        place_ms = self.utterance.start_ms + first // SAMPLES_PER_MS
        return self._gap(place_ms=place_ms, name=f"{name}-{first}", reason="audio_lost", whole=False)

    def _gap(self, *, place_ms: int, name: str, reason: GapReason, whole: bool = True) -> SttGap:
        place = self.utterance
        return SttGap.new(
            id=f"gap:{name}",
            source=SOURCE,
            subject=subject_of(SttGap, self.tenant, place.meeting_id, place.track.id, place.utterance_id),
            tenant=self.tenant,
            data=SttGapData(
                gap_id=f"gap_{name}",
                utterance_id=place.utterance_id,
                meeting_id=place.meeting_id,
                room=place.room,
                epoch=place.epoch,
                participant=place.participant,
                track=place.track,
                start_ms=place_ms,
                end_ms=self.end_ms,
                reason=reason,
                whole=whole,
            ),
        )
