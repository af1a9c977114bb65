"""What writes minutes."""

from dataclasses import dataclass
from typing import Literal, Protocol

from roomscribe_summarizer.domain.draft import Draft, Spent
from roomscribe_summarizer.domain.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Written:
    """A draft, how it was made, and the tokens it took, those of failed attempts included."""

    draft: Draft
    method: Literal["extractive", "model"]
    model: str | None = None
    spent: tuple[Spent, ...] = ()


class Engine(Protocol):
    """Writes minutes of a transcript that holds at least one segment."""

    async def write(self, transcript: Transcript) -> Written:
        """The draft. Raises `EngineFailed` if none could be made."""
        ...


class EngineFailed(Exception):
    """No minutes came of it; `spent` was used up all the same."""

    def __init__(self, reason: str, spent: tuple[Spent, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.spent = spent
