"""The id of a server-sent event: how far its reader has come in each stream."""

import re
from dataclasses import dataclass, replace
from typing import Literal, Self

Stream = Literal["TRANSCRIPTS", "MEETINGS", "INSIGHTS"]
STREAMS: tuple[Stream, ...] = ("TRANSCRIPTS", "MEETINGS", "INSIGHTS")
# 18 digits: every such number fits the server's 64 bits.
_FORM = re.compile(r"t(\d{1,18})-m(\d{1,18})-i(\d{1,18})", re.ASCII)


class BadPosition(ValueError):
    """An event id that this gateway never gave."""


@dataclass(frozen=True, slots=True)
class Positions:
    """The last stream sequence read of each stream; 0: nothing yet. Its text is `t12-m40-i3`."""

    transcripts: int = 0
    meetings: int = 0
    insights: int = 0

    def __str__(self) -> str:
        return f"t{self.transcripts}-m{self.meetings}-i{self.insights}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """From an event's id. Raises `BadPosition`."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise BadPosition("expected an id of this stream such as t12-m40-i3")
        return cls(int(found[1]), int(found[2]), int(found[3]))

    def of(self, stream: Stream) -> int:
        """The position in one stream."""
        return {"TRANSCRIPTS": self.transcripts, "MEETINGS": self.meetings, "INSIGHTS": self.insights}[stream]

    def advanced(self, stream: Stream, sequence: int) -> "Positions":
        """The same, with one stream further on."""
        match stream:
            case "TRANSCRIPTS":
                return replace(self, transcripts=sequence)
            case "MEETINGS":
                return replace(self, meetings=sequence)
            case "INSIGHTS":
                return replace(self, insights=sequence)
