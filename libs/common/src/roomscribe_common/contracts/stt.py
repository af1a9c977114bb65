"""Speech to text: the work item, what a worker hears while it listens, and its final."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from roomscribe_common.contracts.base import Confidence, Data, Event, Ms, Participant, SttModel, Text, Track, Word
from roomscribe_common.contracts.meeting import RoomName
from roomscribe_common.ids import Token

GapReason = Literal["buffer_full", "audio_lost", "agent_lost", "stt_failed"]


class Utterance(Data):
    """One stretch of one person's speech. Its id becomes the transcript's `segment_id`."""

    utterance_id: Token
    meeting_id: Token
    room: RoomName
    epoch: int
    participant: Participant
    track: Track
    started_at: AwareDatetime
    """Wall clock of the first sample, pre-roll included."""
    start_ms: Ms
    """The same from the meeting's start."""
    pre_roll_ms: Ms = 0
    """From there to the first speech: audio kept from before it, so that no first sound is cut off."""
    language: Annotated[str, StringConstraints(max_length=35)] = "en"
    keyterms: Annotated[list[Annotated[str, StringConstraints(max_length=128)]], Field(max_length=100)] = []


class SttInterimData(Data):
    """The words so far. A reader keeps the highest (`attempt`, `version`) and drops the rest."""

    utterance: Utterance
    attempt: int = Field(ge=1)
    version: int = Field(ge=1)
    end_ms: Ms
    text: Text
    words: list[Word] = []
    confidence: Confidence
    stt: SttModel


class SttTiming(Data):
    """Where the time went between the end of speech and the final, in ms. For measuring."""

    hangover_ms: int
    """From the end of speech to the cut of the last chunk (the silence waited for)."""
    decode_ms: int
    """What of the decode the final had to wait for; 0 when an early decode had it ready."""
    other_ms: int
    """From the cut to the publish of the final, without `decode_ms`."""


class SttFinalData(Data):
    """The words of one utterance. `text` is empty where nobody spoke. `end_ms` is the end of speech."""

    utterance: Utterance
    attempt: int = Field(ge=1)
    end_ms: Ms
    text: Text
    words: list[Word] = []
    confidence: Confidence
    language: str
    stt: SttModel
    audio_ms: Ms
    """Audio decoded for it: what STT minutes are billed by."""
    truncated: bool = False
    """The audio stopped before its last chunk; what was there is what is here."""
    timing: SttTiming | None = None


class SttGapData(Data):
    """Audio that was lost. `utterance_id` names the utterance it belonged to; times from the meeting's start.

    No agent was in the room (`agent_lost`): it is the whole meeting's, participant and track are `_`.
    """

    gap_id: Token
    utterance_id: Token
    meeting_id: Token
    room: RoomName
    epoch: int
    participant: Participant
    track: Track
    start_ms: Ms
    end_ms: Ms
    reason: GapReason
    whole: bool
    """True if no final will come for the utterance."""


class SttEndpointData(Data):
    """Where a sentence seems to end, in samples from the utterance's start: at a pause, with all before it decoded."""

    utterance_id: Token
    meeting_id: Token
    track_id: Token
    up_to_sample: Annotated[int, Field(ge=0)]


class UtteranceOpened(Event[Utterance]):
    """Somebody began to speak: the work item of an STT worker."""

    TYPE = "stt.v1.utterance"


class SttInterim(Event[SttInterimData]):
    """What was understood so far; may be lost."""

    TYPE = "stt.v1.interim"


class SttEndpoint(Event[SttEndpointData]):
    """A hint that the speaker is done; may be lost. The room process closes the utterance, unless more was said."""

    TYPE = "stt.v1.endpoint"


class SttFinal(Event[SttFinalData]):
    """What was said. Its id is `final:<utterance_id>`, so a second one is a duplicate."""

    TYPE = "stt.v1.final"


class SttGap(Event[SttGapData]):
    """What was said and not kept."""

    TYPE = "stt.v1.gap"
