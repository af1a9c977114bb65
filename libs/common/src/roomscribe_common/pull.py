"""Pull subscriptions that only bind to what the provisioner made, know when they last got an answer, and never spin."""

import asyncio
import contextlib
import json
import logging
import time

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext
from nats.js.errors import FetchTimeoutError

log = logging.getLogger(__name__)

_AGAIN_S = 1.0
_PENDING_MSGS = 1024


class WatchedPull(JetStreamContext.PullSubscription):
    """A pull subscription. `answered_at` is the monotonic time of the last answer, message or not."""

    stopping = False

    def __init__(self, js: JetStreamContext, inner: Subscription, stream: str, consumer: str, inbox: str) -> None:
        super().__init__(js, inner, stream, consumer, inbox.encode())
        self.consumer = consumer
        self.answered_at = time.monotonic()
        self._failing = False

    async def fetch(self, batch: int = 1, timeout: float | None = 5, heartbeat: float | None = None) -> list[Msg]:
        """As nats-py, but a consumer that is gone costs one try a second, and what comes after `stop` goes back."""
        started = time.monotonic()
        try:
            messages = await super().fetch(batch, timeout, heartbeat or (timeout or 5) / 2.5)
        except FetchTimeoutError:
            self._answered()
            raise
        except nats.errors.ConnectionClosedError:
            raise
        except nats.errors.Error as error:
            if timeout and time.monotonic() - started < timeout / 2:
                await self._wait(error)
            raise nats.errors.TimeoutError from error
        self._answered()
        if self.stopping:
            await self._give_back(messages)
            raise nats.errors.TimeoutError
        return messages

    async def fetch_waiting(self, batch: int, timeout: float) -> list[Msg]:
        """At most `batch` messages of those that are there now and that no other replica asked for; never waits."""
        request = {"batch": batch, "no_wait": True}
        messages: list[Msg] = []
        with contextlib.suppress(TimeoutError, nats.errors.Error):
            async with asyncio.timeout(timeout):
                await self._nc.publish(self._nms, json.dumps(request).encode(), self._deliver)
                while len(messages) < batch:
                    message = await self._sub.next_msg(timeout=timeout)
                    self._answered()
                    if JetStreamContext.is_status_msg(message) is not None:
                        break
                    messages.append(message)
        if self.stopping:
            await self._give_back(messages)
            return []
        return messages

    async def _give_back(self, messages: list[Msg]) -> None:
        for message in messages:
            await message.nak()

    async def unsubscribe(self) -> None:
        """Gives back what has arrived and was not looked at, then ends the subscription."""
        queue = self._sub._pending_queue  # pyright: ignore[reportPrivateUsage]  # no public way to see the inbox
        await super().unsubscribe()
        while not queue.empty():
            message = queue.get_nowait()
            if message.reply and JetStreamContext.is_status_msg(message) is None:
                with contextlib.suppress(nats.errors.Error):
                    await message.nak()

    def _answered(self) -> None:
        self.answered_at = time.monotonic()
        if self._failing:
            self._failing = False
            log.warning("consumer is back", extra={"consumer": self.consumer})

    async def _wait(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            log.error("consumer does not answer", extra={"consumer": self.consumer, "error": str(error)})
        await asyncio.sleep(_AGAIN_S)


class BoundJetStream(JetStreamContext):
    """JetStream whose pull subscriptions never create a consumer; `pulls` lists FastStream's."""

    def __init__(self, nc: Client, timeout_s: float = 5.0) -> None:
        super().__init__(nc, timeout=timeout_s)
        self._client = nc
        self.pulls: list[WatchedPull] = []

    async def bind(self, stream: str, consumer: str) -> WatchedPull:
        """A subscription to an existing durable. Raises `NotFoundError` if there is none."""
        await self.consumer_info(stream, consumer)
        inbox = self._client.new_inbox()
        inner = await self._client.subscribe(  # pyright: ignore[reportUnknownMemberType]  # its `future` is untyped
            inbox, pending_msgs_limit=_PENDING_MSGS
        )
        return WatchedPull(self, inner, stream, consumer, inbox)

    async def pull_subscribe(  # pyright: ignore[reportIncompatibleMethodOverride]  # only what FastStream passes
        self, subject: str, durable: str, stream: str, **_: object
    ) -> WatchedPull:
        """What FastStream calls to consume. Only binds: the provisioner alone makes consumers."""
        pull = await self.bind(stream, durable)
        self.pulls.append(pull)
        return pull
