"""Sends one track's utterances to the bus, in order, for as long as it takes."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from nats.js import JetStreamContext
from nats.js.api import PubAck
from roomscribe_common.bus import EXPECTED_LAST_SUBJECT_SEQUENCE, MSG_ID, WrongSequence
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.stt import SttGap
from roomscribe_common.errors import Permanent, Retryable
from roomscribe_common.ids import new_id

from roomscribe_media_ingest.adapters.audio_stored import next_stored
from roomscribe_media_ingest.domain.backlog import Backlog
from roomscribe_media_ingest.domain.utterance import Outgoing

log = logging.getLogger(__name__)

T = TypeVar("T")
RETRY_S = 0.25
"""Between attempts, each of which the bus repeats by itself for a while."""


class AudioBus(Protocol):
    """What is needed of `roomscribe_common.bus.Bus`: both raise `Retryable` when nobody acknowledged in time.

    With `Nats-Expected-Last-Subject-Sequence`, `publish_bytes` raises `WrongSequence`.
    """

    @property
    def js(self) -> JetStreamContext:
        """Where the audio stream can be read."""
        ...

    async def publish(self, event: AnyEvent, /) -> object:
        """Stores an event once."""
        ...

    async def publish_bytes(self, subject: str, payload: bytes, headers: dict[str, str], /) -> PubAck:
        """Stores a message once; its `Nats-Msg-Id` says which."""
        ...


class Publisher:
    """Empties a backlog: one message at a time, each acknowledged before the next, so the stream's order is ours.

    A message is tried until it is stored; meanwhile the backlog grows, and sheds beyond its limit. The work item
    follows the first chunk, so whoever claims it finds audio. Each chunk is stored only behind the one before it:
    a worker that has waited too long ends the utterance there, and the rest goes on under a new id.
    """

    def __init__(self, bus: AudioBus, backlog: Backlog) -> None:
        self._bus = bus
        self._backlog = backlog
        self._more = asyncio.Event()
        self._closing = False
        self._ended = asyncio.Event()
        self._deadline: asyncio.Timeout | None = None
        self._give_up_at: float | None = None
        self.chunks = 0
        self.gaps = 0
        self.lost: list[SttGap] = []
        """What was given up, as the gaps that somebody may still be told of; counted in `gaps`."""

    def wake(self) -> None:
        """Something was added to the backlog."""
        self._more.set()

    async def run(self) -> None:
        """Publishes until `close`."""
        try:
            async with asyncio.timeout_at(self._give_up_at) as self._deadline:
                while not (self._closing and self._backlog.head is None):
                    if not await self._advance():
                        await self._more.wait()
                        self._more.clear()
        except TimeoutError:
            log.error("audio given up at close", extra={"queued_bytes": self._backlog.size_bytes})
        finally:
            self._ended.set()

    async def close(self, timeout_s: float | None) -> bool:
        """Waits until all is on the bus, but not longer than this; then gives up the rest and says False."""
        self._closing = True
        self._more.set()
        if timeout_s is not None:
            self._give_up_at = asyncio.get_running_loop().time() + timeout_s
            if self._deadline is not None and not self._ended.is_set():
                self._deadline.reschedule(self._give_up_at)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if timeout_s is None else timeout_s + RETRY_S):
                await self._ended.wait()
        delivered = self._backlog.head is None
        self.give_up()
        return delivered

    def give_up(self) -> None:
        """What is not on the bus is lost, see `lost`."""
        lost = self._backlog.clear()
        self.lost += lost
        self.gaps += len(lost)

    async def _advance(self) -> bool:
        """Sends the next message; False if there is none yet."""
        head = self._backlog.head
        if head is None:
            return False
        if head.dropped:
            return await self._own_up(head)
        if head.chunks and (head.announced or not head.begun):
            head.begun = True
            await self._send_chunk(head)
            return True
        if head.begun and not head.announced:
            head.announcing = True
            await self._deliver(lambda: self._bus.publish(head.opened()))
            head.announced = True
            return True
        if head.closed:
            self._backlog.done()
        return head.closed

    async def _own_up(self, dropped: Outgoing) -> bool:
        if not dropped.closed:
            return False
        dropped.begun = True  # what is dropped from here on is a gap of its own
        await self._deliver(lambda: self._bus.publish(dropped.gap()))
        self.gaps += 1
        self._backlog.done()
        return True

    async def _send_chunk(self, utterance: Outgoing) -> None:
        chunk = utterance.chunks[0]
        message_id = f"{chunk.headers.utterance_id}:{chunk.headers.seq}"
        behind = {MSG_ID: message_id, EXPECTED_LAST_SUBJECT_SEQUENCE: str(utterance.stored)}
        headers = chunk.headers.to_headers() | behind
        try:
            ack = await self._deliver(lambda: self._bus.publish_bytes(utterance.subject, chunk.body, headers))
        except WrongSequence as refused:
            await self._refused(utterance, message_id, refused.actual)
            return
        self._stored(utterance, None if ack is None else ack.seq)

    async def _refused(self, utterance: Outgoing, message_id: str, actual: int | None) -> None:
        """The chunk is there and its ack was lost, or the utterance was ended without it: what is stored tells."""
        found = await self._deliver(lambda: next_stored(self._bus.js, utterance.subject, utterance.stored))
        if found is None and actual is not None and actual > utterance.stored:
            # Refused for a message that cannot be read yet, or any more: the chunk is tried again.
            await asyncio.sleep(RETRY_S)
        elif found is None or found.message_id != message_id:
            log.warning("utterance ended by its worker, what follows goes on under a new id")
            self._backlog.go_on_as(new_id("utt"))
        else:
            self._stored(utterance, found.sequence)

    def _stored(self, utterance: Outgoing, sequence: int | None) -> None:
        """The next chunk is done with. `sequence`: where it is; None if the bus refused it."""
        if sequence is not None:
            utterance.stored = sequence
        self._backlog.sent(utterance)
        self.chunks += 1

    async def _deliver(self, publish: Callable[[], Awaitable[T]]) -> T | None:
        """Tries until it is stored; None if the bus refused it for good."""
        while True:
            try:
                return await publish()
            except WrongSequence:
                raise
            except Retryable:
                log.warning("audio waits for the bus", extra={"queued_bytes": self._backlog.size_bytes})
                await asyncio.sleep(RETRY_S)
            except Permanent as refused:
                log.error("the bus refused audio", extra={"reason": refused.reason})
                return None
