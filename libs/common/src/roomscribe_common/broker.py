"""Durable consumers through FastStream, on the process's own connection, creating nothing.

FastStream drops what a handler refuses, retries without delay, makes consumers that are missing and spins on those
that were deleted. So its policy is MANUAL and settling, delays and binding are ours: `Settlement`, `BoundJetStream`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, cast

from faststream.message import StreamMessage
from faststream.middlewares import AckPolicy
from faststream.nats import JStream, NatsBroker, PullSub
from nats.aio.client import Client
from nats.aio.msg import Msg

from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.delivery import Delivery
from roomscribe_common.pull import BoundJetStream
from roomscribe_common.reader import EventT, Reader
from roomscribe_common.settlement import Settlement
from roomscribe_common.streams import CONSUMER, ConsumerSpec

FETCH_S = 5.0
"""Longest wait of one fetch; after a restart of NATS the next one starts no later. Each one costs, also when idle."""
_GRACE_S = 15.0

AnyHandler = Callable[[Any, Delivery], Awaitable[None]]


@dataclass
class _Consumption:
    spec: ConsumerSpec
    concurrency: int = 1
    handlers: dict[type[AnyEvent], AnyHandler] = field(default_factory=dict[type[AnyEvent], AnyHandler])


class Broker(NatsBroker):
    """FastStream's broker on a connection it does not own: it neither opens nor drains it."""

    def __init__(self, nc: Client, js: BoundJetStream, settlement: Settlement) -> None:
        super().__init__(
            ack_policy=AckPolicy.MANUAL,
            apply_types=False,  # injection costs a thread hop a message; our decoder gives the handler what it needs
            logger=None,
            graceful_timeout=_GRACE_S,
            middlewares=(settlement.middleware,),
        )
        self._nc = nc
        self._js = js
        self._consumptions: dict[str, _Consumption] = {}

    def consume(
        self,
        consumer: str,
        handler: Callable[[EventT, Delivery], Awaitable[None]],
        *models: type[EventT],
        concurrency: int = 1,
    ) -> None:
        """Handles the events of a durable consumer; call it again for its other event classes.

        One message at a time and so in order, unless `concurrency` says otherwise. Raises `KeyError` for a consumer
        that is not in the table of `streams`.
        """
        if consumer not in CONSUMER:
            raise KeyError(f"{consumer!r} is not a consumer of roomscribe_common.streams: {', '.join(CONSUMER)}")
        entry = self._consumptions.setdefault(consumer, _Consumption(CONSUMER[consumer]))
        entry.concurrency = max(entry.concurrency, concurrency)
        entry.handlers |= dict.fromkeys(models, cast(AnyHandler, handler))

    @property
    def consumers(self) -> list[ConsumerSpec]:
        """The durable consumers of this process."""
        return [entry.spec for entry in self._consumptions.values()]

    async def start(self) -> None:
        """Starts all consumers. Raises `NotFoundError` if the provisioner has not made one."""
        for entry in self._consumptions.values():
            for _ in range(entry.concurrency):
                self._add(entry)
        await super().start()
        await self._nc.flush()

    def _add(self, entry: _Consumption) -> None:
        reader = Reader(*entry.handlers)

        async def decode(message: StreamMessage[Msg]) -> tuple[AnyEvent, Delivery]:
            raw = message.raw_message
            return reader.read(raw.subject, raw.data), Delivery.of(raw)

        async def handle(received: Any) -> None:
            event, delivery = received
            await entry.handlers[type(event)](event, delivery)

        subscribe = self.subscriber(
            ">",
            stream=JStream(entry.spec.stream, declare=False),
            durable=entry.spec.name,
            pull_sub=PullSub(batch_size=1, timeout=FETCH_S),
            ack_policy=AckPolicy.MANUAL,
            no_reply=True,
        )
        subscribe(handle, decoder=decode)

    async def _connect(self) -> Client:
        config = self.config.broker_config
        config.connect(self._nc)
        config.connection_state.connect(self._nc, self._js)
        return self._nc

    async def stop(
        self,
        exc_type: type[BaseException] | None = None,
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,
    ) -> None:
        """Takes no more messages, and waits up to 15 s for those being handled. The connection stays open."""
        for pull in self._js.pulls:
            pull.stopping = True
        await super(NatsBroker, self).stop(exc_type, exc_val, exc_tb)
        self._connection = None
        self.config.disconnect()
