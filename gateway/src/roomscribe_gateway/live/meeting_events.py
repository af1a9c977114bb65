"""One reader's view of one meeting: what is stored from its position on, then what happens, until it is over."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.insight import Minutes
from roomscribe_common.contracts.meeting import MeetingEnded, MeetingFailed
from roomscribe_common.contracts.transcript import TranscriptCompleted, TranscriptInterim
from roomscribe_common.errors import Permanent
from roomscribe_common.reader import EventT, Reader
from roomscribe_common.registry import MESSAGES
from roomscribe_common.subjects import build
from roomscribe_common.told import last_event

from roomscribe_gateway.adapters.tail import Tail
from roomscribe_gateway.domain.positions import STREAMS, Positions, Stream
from roomscribe_gateway.live.frames import KEEP_ALIVE, end_frame, frame
from roomscribe_gateway.live.merge import CaughtUp, Item, Merge

_QUEUE = 256
_CHUNK_BYTES = 64 * 1024
_KEEP_ALIVE_S = 10.0
_SETTLE_S = 2.0
_CANCEL_AGAIN_S = 0.2
_FILTERS: dict[Stream, str] = {
    "TRANSCRIPTS": "transcript.v1.*",
    "MEETINGS": "meeting.v1.*",
    "INSIGHTS": "insight.v1.minutes",
}
_READERS: dict[Stream, Reader[AnyEvent]] = {
    stream: Reader(*(m.event for m in MESSAGES if m.stream == stream)) for stream in STREAMS
}
_INTERIMS = Reader(TranscriptInterim)


@dataclass
class _Ending:
    """Whether there is anything left to wait for. `over_since` is monotonic."""

    grace_s: float
    over_since: float | None = None
    failed: bool = False
    minutes: bool = False
    completed: bool = False

    def note(self, event: AnyEvent, *, past: bool = False) -> None:
        """An event came; `past`: it had been stored before this reader came."""
        if isinstance(event, MeetingEnded) and self.over_since is None:
            # A replayed meeting's clock is not ours, so what happens before our eyes happens now.
            age_s = (datetime.now(UTC) - event.data.ended_at).total_seconds() if past else 0
            self.over_since = time.monotonic() - max(age_s, 0)
        self.failed |= isinstance(event, MeetingFailed)
        self.minutes |= isinstance(event, Minutes)
        self.completed |= isinstance(event, TranscriptCompleted)

    def reason(self, open_s: float) -> str | None:
        """Why the stream is at its end; None if it is not."""
        if self.failed:
            return "failed"
        if self.over_since is None:
            return None
        # The streams are read beside each other, so the minutes may come before the last words they are about.
        if self.minutes and self.completed:
            return "minutes"
        over_s = time.monotonic() - self.over_since
        if over_s < self.grace_s or open_s <= _SETTLE_S:
            return None
        return "minutes" if self.minutes else "no_minutes"


class MeetingEvents:
    """Frames for one reader. The queue is bounded: a slow reader slows its own reading of the streams."""

    def __init__(
        self, nc: Client, js: JetStreamContext, tenant: str, meeting_id: str, after: Positions, grace_s: float
    ) -> None:
        self._nc = nc
        self._js = js
        self._tenant = tenant
        self._meeting = meeting_id
        self._position = after
        self._queue: asyncio.Queue[Item | TranscriptInterim] = asyncio.Queue(_QUEUE)
        self._caught_up = False
        self._ending = _Ending(grace_s)
        self._opened = time.monotonic()

    async def learn_ending(self) -> None:
        """Whether the meeting is over already: a resumed reader is not told again. Raises `Retryable`."""
        wanted: tuple[type[AnyEvent], ...] = (MeetingEnded, MeetingFailed, Minutes, TranscriptCompleted)
        for model in wanted:
            event = await last_event(self._js, model, self._tenant, self._meeting)
            if event is not None:
                self._ending.note(event, past=True)

    async def frames(self) -> AsyncGenerator[bytes]:
        """Chunks of whole frames, the last of them `end`. Close the generator to stop before."""
        interim = build("transcript.v1.interim", self._tenant, self._meeting)
        heard = await self._nc.subscribe(interim, cb=self._interim)  # pyright: ignore[reportUnknownMemberType]  # untyped `future`
        merge = Merge({each: self._tail(each).messages() for each in STREAMS}, self._queue.put)
        reading = [asyncio.create_task(part) for part in merge.parts()]
        try:
            while True:
                chunk = await self._chunk()
                if chunk:
                    yield chunk
                for part in reading:
                    if part.done():
                        part.result()
                reason = self._ending.reason(time.monotonic() - self._opened) if self._caught_up else None
                if reason is not None and self._queue.empty():
                    yield end_frame(reason)
                    return
                if chunk is None:
                    yield KEEP_ALIVE
        finally:
            await _end(reading)
            if not self._nc.is_closed:
                await _unsubscribe(heard)

    async def _chunk(self) -> bytes | None:
        """What is in the queue; None if nothing came for the time of a keep-alive."""
        waited_s = _SETTLE_S if self._ending.over_since is not None else _KEEP_ALIVE_S
        try:
            async with asyncio.timeout(waited_s):
                chunk = self._frame(await self._queue.get())
        except TimeoutError:
            return None
        while len(chunk) < _CHUNK_BYTES and not self._queue.empty():
            chunk += self._frame(self._queue.get_nowait())
        return chunk

    def _frame(self, item: Item | TranscriptInterim) -> bytes:
        if isinstance(item, TranscriptInterim):
            return frame(item, None)
        if isinstance(item, CaughtUp):
            self._caught_up = True
            return b""
        self._position = self._position.advanced(item.stream, item.stored.sequence)
        event = _read(_READERS[item.stream], item.stored.subject, item.stored.payload)
        if event is None:
            return b""
        self._ending.note(event)
        return frame(event, str(self._position))

    def _tail(self, stream: Stream) -> Tail:
        subject = f"{_FILTERS[stream]}.{self._tenant}.{self._meeting}"
        return Tail(self._nc, self._js, stream, subject, self._position.of(stream))

    async def _interim(self, msg: Msg) -> None:
        event = _read(_INTERIMS, msg.subject, msg.data)
        # Beside history they would be out of place; in a full queue they would be old before they are read.
        if event is not None and self._caught_up and not self._queue.full():
            self._queue.put_nowait(event)


def _read(reader: Reader[EventT], subject: str, payload: bytes) -> EventT | None:
    """None for what is malformed: who consumes it durably dead-letters it."""
    try:
        return reader.read(subject, payload)
    except Permanent:
        return None


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancels until it works: `asyncio.wait_for`, which nats-py uses, may swallow a cancellation (Python 3.11)."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_CANCEL_AGAIN_S)


async def _unsubscribe(subscription: Subscription) -> None:
    try:
        await subscription.unsubscribe()
    except nats.errors.Error:
        return
