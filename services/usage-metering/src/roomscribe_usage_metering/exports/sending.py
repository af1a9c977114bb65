"""What a receiver is: requests made of items, and what its answers mean. Pure; `sender` does the sending."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol, TypeVar

ItemT_contra = TypeVar("ItemT_contra", contravariant=True)

LATER_S = 3_600.0
"""No receiver makes us wait longer."""
_BUSY = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Request:
    """One POST. The same items make the same ids in it, whenever it is made. `since_ms`: when they were stored.

    `place` orders the requests of a batch: those up to the last answered one are not sent again.
    """

    place: str
    since_ms: int
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it, from now or from before."""


@dataclass(frozen=True, slots=True)
class Later:
    """To be sent again: in `after_s`, or with growing waits."""

    after_s: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Instead:
    """Part of it was there already: this is to be sent in its place."""

    request: Request


@dataclass(frozen=True, slots=True)
class Refused:
    """The receiver will not have it as it is: somebody must look. `gone` if it wants nothing more at all."""

    reason: str
    gone: bool = False


Verdict = Delivered | Later | Instead | Refused


class Sink(Protocol[ItemT_contra]):
    """A receiver. `batch` items are taken at once; fewer only `gather_s` after the first of them was stored.

    What fails and is older than `give_up_s` is left out; None keeps it, and all behind it, for ever.
    """

    @property
    def name(self) -> str:
        """The key of its cursor."""
        ...

    @property
    def label(self) -> str:
        """What stands for it in metrics."""
        ...

    @property
    def batch(self) -> int:
        """See above."""
        ...

    @property
    def gather_s(self) -> float:
        """See above."""
        ...

    @property
    def from_now(self) -> bool:
        """Whether what was stored before it was first seen is left out."""
        ...

    @property
    def give_up_s(self) -> float | None:
        """See above."""
        ...

    def requests(self, items: Sequence[ItemT_contra], now_ms: int) -> list[Request]:
        """What is to be sent for the items, sorted by place. Raises `Unsendable`."""
        ...

    def judge(self, request: Request, answer: Answer) -> Verdict:
        """What the answer means."""
        ...


class Unsendable(Exception):
    """Items that cannot be sent with the settings there are; the message says which setting is missing."""


def judge_by_status(answer: Answer, now: datetime | None = None) -> Verdict:
    """What HTTP itself says, for receivers that say no more. Redirects are not followed."""
    if 200 <= answer.status < 300:
        return Delivered()
    if answer.status in _BUSY or answer.status >= 500:
        return Later(_wait_s(answer.headers, now or datetime.now(UTC)), f"HTTP {answer.status}")
    return Refused(f"HTTP {answer.status}", gone=answer.status == 410)


def _wait_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """`Retry-After` in seconds or as a date, or Lago's `X-RateLimit-Reset` in seconds."""
    told = headers.get("retry-after") or headers.get("x-ratelimit-reset")
    if told is None:
        return None
    try:
        wait_s = float(int(told)) if told.strip().isdigit() else (parsedate_to_datetime(told) - now).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(wait_s, 0.0), LATER_S)
