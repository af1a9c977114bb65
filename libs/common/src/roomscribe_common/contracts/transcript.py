"""The product: who said what, when."""

from typing import Literal

from pydantic import AwareDatetime, Field

from roomscribe_common.contracts.base import Confidence, Data, Event, Ms, Name, Participant, SttModel, Text, Track, Word
from roomscribe_common.contracts.meeting import RoomName
from roomscribe_common.contracts.stt import GapReason, SttTiming
from roomscribe_common.ids import Token


class Speaker(Data):
    """Whose voice it is. `track`: the track's owner spoke; `diarized`: told apart on a shared microphone."""

    id: str
    label: Name
    basis: Literal["track", "diarized", "unknown"]
    confidence: Confidence


class SegmentBase(Data):
    """What interim and final share. Times count from the meeting's start; `end_ms` is the end of speech."""

    segment_id: Token
    revision: int = Field(ge=1)
    meeting_id: Token
    room: RoomName
    participant: Participant
    speaker: Speaker
    track: Track
    start_ms: Ms
    end_ms: Ms
    started_at: AwareDatetime
    text: Text
    language: str
    confidence: Confidence
    words: list[Word] = []
    stt: SttModel


class TranscriptInterimData(SegmentBase):
    """The words so far; each replaces the one before. Empty `text` withdraws the segment."""

    version: int = 0


class TranscriptFinalData(SegmentBase):
    """A segment of the transcript. `sequence` counts from 1 without holes per meeting, in order of arrival."""

    sequence: int = Field(ge=1)
    truncated: bool = False
    timing: SttTiming | None = None


class TranscriptGapData(Data):
    """Speech that is missing, from when to when. Of `agent_lost` it is everybody's: participant and track are `_`."""

    gap_id: Token
    meeting_id: Token
    room: RoomName
    participant: Participant
    track: Track
    segment_id: Token
    start_ms: Ms
    end_ms: Ms
    reason: GapReason


class TranscriptCompletedData(Data):
    """Every utterance of the meeting ended in a final, a gap, or was found to hold no speech.

    `complete` is false if the wait for the last of them ended first.
    """

    meeting_id: Token
    room: RoomName
    completed_at: AwareDatetime
    segments: int
    last_sequence: int
    complete: bool


class TranscriptInterim(Event[TranscriptInterimData]):
    """What somebody is saying; may be lost."""

    TYPE = "transcript.v1.interim"


class TranscriptFinal(Event[TranscriptFinalData]):
    """What somebody said."""

    TYPE = "transcript.v1.final"


class TranscriptRevised(Event[TranscriptFinalData]):
    """A better reading of a segment: same `segment_id` and `sequence`, higher `revision`."""

    TYPE = "transcript.v1.revised"


class TranscriptGap(Event[TranscriptGapData]):
    """What somebody said and was not kept."""

    TYPE = "transcript.v1.gap"


class TranscriptCompleted(Event[TranscriptCompletedData]):
    """The transcript is whole."""

    TYPE = "transcript.v1.completed"
