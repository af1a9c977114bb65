"""A meeting's transcript as it is exported: current revisions by start, gaps, and who spoke."""

from dataclasses import dataclass
from datetime import datetime
from unicodedata import category

from roomscribe_common.contracts.base import Participant
from roomscribe_common.contracts.transcript import TranscriptFinalData, TranscriptGapData

_UNSHOWABLE = {"Cc", "Cs", "Cn"}
# Controls, surrogates and non-characters. Joiners (Cf) stay: scripts and emoji need them.


@dataclass(frozen=True, slots=True)
class Transcript:
    """Everything an export shows. Both lists are in order of `start_ms`."""

    meeting_id: str
    room: str
    title: str
    started_at: datetime | None
    state: str
    complete: bool
    segments: list[TranscriptFinalData]
    gaps: list[TranscriptGapData]

    @property
    def heading(self) -> str:
        """The title, or the room where there is none."""
        return line(self.title) or line(self.room)

    def in_order(self) -> list[TranscriptFinalData | TranscriptGapData]:
        """Segments and gaps together."""
        return sorted([*self.segments, *self.gaps], key=lambda item: item.start_ms)


def line(text: str) -> str:
    """The text on one line, without characters that no text format can hold."""
    return " ".join("".join(" " if category(c) in _UNSHOWABLE else c for c in text).split())


def who(segment: TranscriptFinalData) -> str:
    """The name to show for a segment."""
    return line(segment.speaker.label) or name_of(segment.participant)


def name_of(participant: Participant) -> str:
    """What people see of a participant."""
    return line(participant.name) or line(participant.identity) or "unknown"


def clock(ms: int, separator: str = ".") -> str:
    """`HH:MM:SS.mmm`; hours may have more digits."""
    seconds, millis = divmod(ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{separator}{millis:03}"


def short_clock(ms: int) -> str:
    """`HH:MM:SS`."""
    return clock(ms)[:-4]
