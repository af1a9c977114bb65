"""Sends one track's utterances to the bus, in order, for as long as it takes."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from roomscribe_common.bus import MSG_ID
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.stt import SttGap
from roomscribe_common.errors import Permanent, Retryable
from roomscribe_common.ids import new_id

from roomscribe_media_ingest.domain.backlog import Backlog
from roomscribe_media_ingest.domain.utterance import Outgoing

log = logging.getLogger(__name__)

RETRY_S = 0.25
"""Between attempts, each of which the bus repeats by itself for a while."""


class AudioBus(Protocol):
    """What is needed of `roomscribe_common.bus.Bus`: both raise `Retryable` when nobody acknowledged in time."""

    async def publish(self, event: AnyEvent, /) -> object:
        """Stores an event once."""
        ...

    async def publish_bytes(self, subject: str, payload: bytes, headers: dict[str, str], /) -> object:
        """Stores a message once; its `Nats-Msg-Id` says which."""
        ...


class Publisher:
    """Empties a backlog: one message at a time, each acknowledged before the next, so the stream's order is ours.

    A message is tried until it is stored; meanwhile the backlog grows, and sheds beyond its limit.
    """

    def __init__(self, bus: AudioBus, backlog: Backlog, abandoned_s: float) -> None:
        self._bus = bus
        self._backlog = backlog
        self._abandoned_s = abandoned_s
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

    async def run(self, idle_s: float, on_idle: Callable[[], None]) -> None:
        """Publishes until `close`. Calls `on_idle` after each `idle_s` in which nothing was added."""
        try:
            async with asyncio.timeout_at(self._give_up_at) as self._deadline:
                while not (self._closing and self._backlog.head is None):
                    if not await self._advance():
                        await self._wait(idle_s, on_idle)
        except TimeoutError:
            log.error("audio given up at close", extra={"queued_bytes": self._backlog.size_bytes})
        finally:
            self._ended.set()

    async def close(self, timeout_s: float) -> bool:
        """Waits until all is on the bus, but not longer; then gives up the rest and says False."""
        self._closing = True
        self._more.set()
        self._give_up_at = asyncio.get_running_loop().time() + timeout_s
        if self._deadline is not None and not self._ended.is_set():
            self._deadline.reschedule(self._give_up_at)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._give_up_at + RETRY_S):
                await self._ended.wait()
        delivered = self._backlog.head is None
        self.give_up()
        return delivered

    def give_up(self) -> None:
        """What is not on the bus is lost, see `lost`."""
        lost = self._backlog.clear()
        self.lost += lost
        self.gaps += len(lost)

    async def _wait(self, idle_s: float, on_idle: Callable[[], None]) -> None:
        try:
            async with asyncio.timeout(idle_s):
                await self._more.wait()
        except TimeoutError:
            on_idle()
        self._more.clear()

    async def _advance(self) -> bool:
        """Sends the next message; False if there is none yet."""
        head = self._backlog.head
        if head is None:
            return False
        if head.dropped:
            return await self._own_up(head)
        if not head.begun:
            head.begun = True
            await self._deliver(lambda: self._bus.publish(head.opened()))
            return True
        if head.chunks:
            await self._send_chunk(head)
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

        def publish() -> Awaitable[object]:
            headers = chunk.headers.to_headers() | {MSG_ID: message_id}
            return self._bus.publish_bytes(utterance.subject, chunk.body, headers)

        began = time.monotonic()
        await self._deliver(publish)
        if time.monotonic() - began > self._abandoned_s:
            # It may have come too late for the worker, so it is sent again: better a word twice than not at all.
            self._backlog.split_head(new_id("utt"))
            return
        self._backlog.sent(utterance)
        self.chunks += 1

    async def _deliver(self, publish: Callable[[], Awaitable[object]]) -> None:
        while True:
            try:
                await publish()
                return
            except Retryable:
                log.warning("audio waits for the bus", extra={"queued_bytes": self._backlog.size_bytes})
                await asyncio.sleep(RETRY_S)
            except Permanent as refused:
                log.error("the bus refused audio", extra={"reason": refused.reason})
                return
