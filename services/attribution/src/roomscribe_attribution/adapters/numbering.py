"""Appends to a meeting's own subjects: each event once, numbered without holes, by any number of replicas.

The stream is the only truth. What is kept here is a copy of it that may lag: the server refuses a message that was
made from a copy that lags, and the copy is then read on.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol

from nats.aio.client import Client
from nats.js.api import PubAck
from pydantic import BaseModel, ValidationError
from roomscribe_common.bus import WrongSequence
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.errors import Retryable
from roomscribe_common.stored import stored

log = logging.getLogger(__name__)

_STREAM: Final = "TRANSCRIPTS"
_ATTEMPTS: Final = 50
"""Each lost race means another replica won it, so the number of replicas bounds the tries."""


class Publisher(Protocol):
    """Stores an event once, refusing it where another came first."""

    async def publish(self, event: AnyEvent, *, expected_last_subject_sequence: int | None = None) -> PubAck:
        """Raises `WrongSequence`, or `Retryable`."""
        ...


class _Number(BaseModel):
    sequence: int = 0


class _StoredEvent(BaseModel):
    """As much of a stored event as numbering needs."""

    id: str
    data: _Number


class Line:
    """What is known of one subject: the ids on it, the highest `sequence`, the stream position of its last message."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.forget()

    def forget(self) -> None:
        """Start over: nothing is known."""
        self.ids: set[str] = set()
        self.sequence = 0
        self.position = 0

    def add(self, event_id: str, sequence: int, position: int) -> None:
        """An event is on the subject."""
        self.ids.add(event_id)
        self.sequence = max(self.sequence, sequence)
        self.position = position


class Numbering:
    """The subjects of all meetings, the most recently used `limit` of them in memory."""

    def __init__(self, nc: Client, publisher: Publisher, limit: int) -> None:
        self._nc = nc
        self._publisher = publisher
        self._limit = limit
        self._lines: OrderedDict[str, Line] = OrderedDict()

    async def append(self, subject: str, event_id: str, make: Callable[[int], AnyEvent]) -> bool:
        """Stores `make(n)`, an event with that id, as the next of the subject; False if the id is there already.

        `n` is one more than the highest sequence on the subject. Raises `Retryable`.
        """
        line = self._line(subject)
        async with line.lock:
            for _ in range(_ATTEMPTS):
                if event_id in line.ids:
                    return False
                sequence = line.sequence + 1
                ack = await self._try(make(sequence), line.position)
                if ack is not None and not ack.duplicate:
                    line.add(event_id, sequence, ack.seq)
                    return True
                if not await self._read_on(subject, line):
                    # The newest message is gone (an erasure), so the copy is ahead of the stream.
                    line.forget()
        raise Retryable("other replicas came first each time", delay_s=0.2)

    async def read(self, subject: str) -> tuple[frozenset[str], int]:
        """The ids on the subject and its highest sequence, as of now. Raises `Retryable`."""
        line = self._line(subject)
        async with line.lock:
            await self._read_on(subject, line)
            return frozenset(line.ids), line.sequence

    async def _try(self, event: AnyEvent, position: int) -> PubAck | None:
        try:
            return await self._publisher.publish(event, expected_last_subject_sequence=position)
        except WrongSequence:
            return None

    async def _read_on(self, subject: str, line: Line) -> bool:
        found = False
        async for message in stored(self._nc, _STREAM, subject, line.position + 1):
            found = True
            line.position = message.sequence
            try:
                event = _StoredEvent.model_validate_json(message.data)
            except ValidationError:
                # Whoever may write here can write nonsense, and it holds no number; its readers dead-letter it.
                continue
            line.add(event.id, event.data.sequence, message.sequence)
        return found

    def _line(self, subject: str) -> Line:
        line = self._lines.setdefault(subject, Line())
        self._lines.move_to_end(subject)
        if len(self._lines) > self._limit:
            self._lines.popitem(last=False)
        return line
