"""Sends to one receiver, for ever: at least once, in order, and again after whatever went wrong."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import aiohttp
from opentelemetry.metrics import Meter
from sqlalchemy.exc import SQLAlchemyError

from roomscribe_usage_metering.exports.cursors import Cursors, Position
from roomscribe_usage_metering.exports.sending import (
    Answer,
    Delivered,
    Instead,
    Later,
    Refused,
    Request,
    Sink,
    Unsendable,
    Verdict,
)

log = logging.getLogger(__name__)

_IDLE_S = 2.0
_REFUSED_S = 300.0
"""How soon we see whether somebody has put right what a receiver refuses."""
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 300.0
_TRIES_OF_REST = 3
_MOST_OF_ANSWER = 1_000_000


class Item(Protocol):
    """What is sent, by its place in a table that only grows."""

    @property
    def seq(self) -> int:
        """Its place: later items have a higher one."""
        ...

    @property
    def booked_ms(self) -> int:
        """When it was stored."""
        ...


ItemT = TypeVar("ItemT", bound=Item)
ItemT_co = TypeVar("ItemT_co", covariant=True)


class Feed(Protocol[ItemT_co]):
    """Items in the order of their places."""

    async def after(self, seq: int, limit: int) -> Sequence[ItemT_co]:
        """The items behind a place, at most so many."""
        ...

    async def newest(self) -> int:
        """The place of the last one; 0 if there is none."""
        ...


Post = Callable[[Request], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Tools:
    """What all senders share."""

    cursors: Cursors
    post: Post
    meter: Meter
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000


class _Stopped(Exception):
    """Sending cannot go on now; `wait_s` is None for growing waits."""

    def __init__(self, reason: str, wait_s: float | None, *, gone: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s
        self.gone = gone


class Sender(Generic[ItemT]):
    """One receiver, its feed and its cursor."""

    def __init__(self, sink: Sink[ItemT], feed: Feed[ItemT], tools: Tools) -> None:
        self._sink = sink
        self._feed = feed
        self._tools = tools
        self._failures = 0
        self._sent = tools.meter.create_counter("roomscribe_usage_exported", description="Items a receiver has")
        self._failed = tools.meter.create_counter(
            "roomscribe_usage_export_failures", description="Tries to send that failed, and items given up"
        )

    async def run(self) -> None:
        """Sends until cancelled, or until the receiver wants nothing more."""
        while True:
            wait_s = await self.turn()
            if wait_s is None:
                log.error("the receiver is gone; nothing more is sent to it", extra={"sink": self._sink.name})
                return
            await asyncio.sleep(wait_s)

    async def turn(self) -> float | None:
        """Sends what is due; returns how long to wait before the next turn, None for no next turn."""
        try:
            wait_s = await self._send_next()
            self._failures = 0
            return wait_s
        except _Stopped as stopped:
            return self._after_failure(stopped)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            return self._after_failure(_Stopped(type(error).__name__, None))

    async def _send_next(self) -> float:
        cursors, now_ms = self._tools.cursors, self._tools.now_ms()
        position = await cursors.at(self._sink.name)
        if position is None:
            await cursors.start(self._sink.name, await self._feed.newest() if self._sink.from_now else 0)
            return 0.0
        most = max(self._sink.batch, (position.until_seq or 0) - position.seq)
        items = await self._feed.after(position.seq, most)
        wait_s = self._gathering(items, now_ms) if position.until_seq is None else None
        if wait_s is not None:
            return wait_s
        until_seq = position.until_seq or items[-1].seq
        if not await cursors.begin(position, until_seq, now_ms):
            return _IDLE_S
        items = [item for item in items if item.seq <= until_seq]
        await self._send(items, position)
        await cursors.finish(position, until_seq)
        self._sent.add(len(items), {"sink": self._sink.label})
        return 0.0

    def _gathering(self, items: Sequence[ItemT], now_ms: int) -> float | None:
        """How long to wait for more items; None if there are enough, or the first has waited long enough."""
        if not items:
            return _IDLE_S
        if len(items) == self._sink.batch:
            return None
        left_s = self._sink.gather_s - (now_ms - items[0].booked_ms) / 1_000
        return min(left_s, _IDLE_S) if left_s > 0 else None

    async def _send(self, items: Sequence[ItemT], position: Position) -> None:
        try:
            requests = self._sink.requests(items, self._tools.now_ms())
        except Unsendable as error:
            raise _Stopped(str(error), _REFUSED_S) from error
        for request in requests:
            if position.done is not None and request.place <= position.done:
                continue
            try:
                await self._deliver(request)
            except _Stopped as stopped:
                if not self._given_up(request, stopped):
                    raise
            # A crash here sends it once more, under the same id.
            await self._tools.cursors.answered(position, request.place, self._tools.now_ms())

    async def _deliver(self, request: Request) -> None:
        for _ in range(_TRIES_OF_REST):
            match await self._judged(request):
                case Delivered():
                    return
                case Instead(rest):
                    request = rest
                case Later(after_s, reason):
                    raise _Stopped(reason, after_s)
                case Refused(reason, gone):
                    raise _Stopped(reason, _REFUSED_S, gone=gone)
        raise _Stopped("the receiver refuses parts of it again and again", _REFUSED_S)

    async def _judged(self, request: Request) -> Verdict:
        try:
            answer = await self._tools.post(request)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return Later(None, type(error).__name__)
        return self._sink.judge(request, answer)

    def _given_up(self, request: Request, stopped: _Stopped) -> bool:
        limit_s, age_ms = self._sink.give_up_s, self._tools.now_ms() - request.since_ms
        if stopped.gone or limit_s is None or age_ms < limit_s * 1_000:
            return False
        log.error("an item was given up", extra={"sink": self._sink.name, "reason": stopped.reason})
        self._failed.add(1, {"sink": self._sink.label, "reason": "given_up"})
        return True

    def _after_failure(self, stopped: _Stopped) -> float | None:
        if stopped.gone:
            return None
        self._failures += 1
        self._failed.add(
            1, {"sink": self._sink.label, "reason": "refused" if stopped.wait_s == _REFUSED_S else "later"}
        )
        log.warning("not sent, trying again", extra={"sink": self._sink.name, "reason": stopped.reason})
        if stopped.wait_s is not None:
            return stopped.wait_s
        longest = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(self._failures, 16))
        return longest * random.uniform(0.5, 1.0)  # so that replicas and addresses do not come back together


def posting(session: aiohttp.ClientSession, timeout_s: float) -> Post:
    """Posts through a session; the whole exchange has a deadline."""
    timeout = aiohttp.ClientTimeout(total=timeout_s)

    async def post(request: Request) -> Answer:
        async with session.post(
            request.url, data=request.body, headers=request.headers, timeout=timeout, allow_redirects=False
        ) as response:
            body = b""
            async for chunk in response.content.iter_chunked(65_536):
                body += chunk
                if len(body) > _MOST_OF_ANSWER:
                    break
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, headers, body)

    return post
