"""What a service is made of: the toolbox its composition root is given."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

import nats.errors
from nats.aio.client import Client
from nats.js.api import PubAck
from nats.js.errors import NotFoundError
from pydantic import BaseModel

from roomscribe_common.broker import FETCH_S, Broker
from roomscribe_common.bus import Bus, RequestT, ResponseT
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.delivery import Delivery
from roomscribe_common.health import Health, Ping
from roomscribe_common.pull import BoundJetStream, WatchedPull
from roomscribe_common.reader import EventT
from roomscribe_common.settings import CommonSettings
from roomscribe_common.settlement import Settlement
from roomscribe_common.streams import CONSUMER
from roomscribe_common.telemetry import Telemetry

log = logging.getLogger(__name__)

SettingsT = TypeVar("SettingsT", bound=CommonSettings)
_CLOSE_S = 20.0
CANCEL_AGAIN_S = 0.5
"""A cancel may be lost in a connect, before Python 3.12."""


class StartFailed(Exception):
    """The service cannot start; `str()` is one line for the person who started it."""


class Service(Generic[SettingsT]):
    """The composition root's toolbox, given to `build`. What is registered there starts once `build` returns."""

    def __init__(self, name: str, settings: SettingsT, nc: Client, telemetry: Telemetry, health: Health) -> None:
        self.name = name
        self.settings = settings
        self.source = f"roomscribe/{name}"
        """CloudEvents `source` of this service's events."""
        self.nc = nc
        self.js = BoundJetStream(nc)
        self.telemetry = telemetry
        self.tracer = telemetry.tracer
        self.meter = telemetry.meter
        self.health = health
        self.bus = Bus(nc, self.js, name, telemetry.tracer)
        self.broker = Broker(nc, self.js, Settlement(self.bus, telemetry.tracer, telemetry.meter))
        self.stopping = asyncio.Event()
        """Set when the service is to stop; long loops may watch it."""
        self.crash: BaseException | None = None
        self._closers: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self._at_start: list[Callable[[], Awaitable[Any]]] = []
        self._before_stop: list[Callable[[], Awaitable[None]]] = []

    def before_stop(self, drain: Callable[[], Awaitable[None]]) -> None:
        """Calls `drain` after SIGTERM, for as long as it takes, while everything still runs; another signal ends it."""
        self._before_stop.append(drain)

    def on_close(self, close: Callable[[], Awaitable[None]]) -> None:
        """Calls `close` at stop, in reverse order of registration, `spawn`ed tasks included."""
        self._closers.append((getattr(close, "__qualname__", repr(close)), close))

    def check(self, name: str, ping: Ping) -> None:
        """Adds a dependency to `/readyz`; `ping` raises if it is not usable."""
        self.health.check(name, ping)

    def spawn(self, name: str, coro: Coroutine[Any, Any, None]) -> None:
        """Runs a task owned by the service: cancelled and awaited at stop; its crash ends the process with exit 1."""
        task = asyncio.create_task(coro, name=name)
        task.add_done_callback(self._task_done)

        async def end() -> None:
            # Python 3.11's `wait_for` can lose a cancellation that comes together with a result, so ask again.
            while not task.done():
                task.cancel()
                await asyncio.wait([task], timeout=CANCEL_AGAIN_S)

        self._closers.append((name, end))

    def fail(self, error: BaseException) -> None:
        """Stops the service because it cannot go on; the process exits with 1."""
        self.crash = self.crash or error
        self.stopping.set()

    async def publish(self, event: AnyEvent, *, expected_last_subject_sequence: int | None = None) -> PubAck:
        """Stores an event; see `Bus.publish`."""
        return await self.bus.publish(event, expected_last_subject_sequence=expected_last_subject_sequence)

    async def publish_core(self, event: AnyEvent) -> None:
        """Sends an event that may be lost; see `Bus.publish_core`."""
        await self.bus.publish_core(event)

    def consume(
        self,
        consumer: str,
        handler: Callable[[EventT, Delivery], Awaitable[None]],
        *models: type[EventT],
        concurrency: int = 1,
    ) -> None:
        """Handles a durable consumer of `streams.CONSUMERS`; see `Broker.consume`.

        Returns → acked. `Retryable` → again after its delay. `Permanent`, malformed or too often → dead letter.
        """
        self.broker.consume(consumer, handler, *models, concurrency=concurrency)

    def subscribe(
        self, subject: str, handler: Callable[[EventT], Awaitable[None]], *models: type[EventT], queue: str = ""
    ) -> None:
        """Handles core messages, in turn; see `Bus.subscribe`. With `queue`, replicas share them."""
        self._at_start.append(lambda: self.bus.subscribe(subject, handler, *models, queue=queue))

    def reply(self, subject: str, handler: Callable[[RequestT], Awaitable[BaseModel]], request: type[RequestT]) -> None:
        """Answers a command; see `Bus.reply`. `ProblemError` reaches the caller."""
        self._at_start.append(lambda: self.bus.reply(subject, handler, request))

    async def request(
        self, subject: str, message: BaseModel, response: type[ResponseT], timeout_s: float = 5.0
    ) -> ResponseT:
        """Asks another service. Raises `ProblemError`; see `Bus.request`."""
        return await self.bus.request(subject, message, response, timeout_s)

    async def pull(self, consumer: str) -> WatchedPull:
        """A raw pull subscription to a durable of the table, for those who settle messages themselves."""
        spec = CONSUMER[consumer]
        return await self.js.bind(spec.stream, spec.name)

    def _task_done(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    async def start(self) -> None:
        """Starts what `build` registered. Raises `StartFailed` if a consumer stays missing."""
        await self._await_consumers()
        for begin in self._at_start:
            await begin()
        await self.broker.start()
        self.check("nats", self._ping_nats)
        if self.broker.consumers:
            self.check("consumers", self._ping_consumers)
        self.health.state = "started"
        log.info("started", extra={"health_port": self.health.port})

    async def drain(self) -> None:
        """Waits for whoever asked for it before the service stops."""
        self.health.state = "draining"
        for result in await asyncio.gather(*(drain() for drain in self._before_stop), return_exceptions=True):
            if isinstance(result, Exception):
                log.error("drain failed", exc_info=result)

    async def close(self) -> None:
        """Takes no more work, finishes what runs, then closes in reverse order. Each step has a deadline."""
        self.stopping.set()
        self.health.state = "stopping"
        await self._closed("broker", self.broker.stop)
        await self._closed("commands", lambda: self.bus.finish(5.0))
        for name, closer in reversed(self._closers):
            await self._closed(name, closer)

    async def _closed(self, name: str, closer: Callable[[], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(_CLOSE_S):
                await closer()
        except Exception:  # whatever fails here, the rest must still be closed
            log.exception("close failed", extra={"part": name})

    async def _await_consumers(self) -> None:
        """The provisioner may run at the same time as we start, so give it a moment."""
        deadline = time.monotonic() + self.settings.start_timeout_s
        for spec in self.broker.consumers:
            while True:
                try:
                    await self.js.consumer_info(spec.stream, spec.name)
                    break
                except (NotFoundError, nats.errors.TimeoutError) as error:
                    if time.monotonic() > deadline:
                        what = f"consumer {spec.name} of stream {spec.stream}"
                        raise StartFailed(f"{what} does not exist: run `roomscribe streams apply`") from error
                    await asyncio.sleep(0.2)

    async def _ping_nats(self) -> None:
        await self.nc.flush(timeout=1)

    async def _ping_consumers(self) -> None:
        for pull in self.js.pulls:
            age_s = time.monotonic() - pull.answered_at
            if age_s > 3 * FETCH_S:
                raise ConnectionError(f"{pull.consumer}: no answer for {age_s:.0f} s")
