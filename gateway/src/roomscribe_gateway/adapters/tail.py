"""A stream's messages on one subject, from a position on, in order and without a hole, as long as one likes."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from roomscribe_common.ids import new_id

from roomscribe_gateway.adapters.pull import Lost, Pull

log = logging.getLogger(__name__)

_BATCH = 100
_KEPT_S = 10.0
_AGAIN_S = 0.25


@dataclass(frozen=True, slots=True)
class Stored:
    """A message and its place. `pending`: how many were still to come when it was sent."""

    sequence: int
    stored_at: datetime
    subject: str
    payload: bytes
    pending: int


class _Hole(Exception):
    """A message was lost on its way."""


@dataclass
class Tail:
    """Reads through ephemeral consumers; makes a new one from its position whenever one is lost."""

    nc: Client
    js: JetStreamContext
    stream: str
    subject: str
    after: int = 0
    """The last stream sequence read."""

    async def messages(self) -> AsyncGenerator[Stored | None]:
        """Every message; None each time all that is stored has been read. Never ends; close the generator."""
        while True:
            try:
                async with aclosing(self._through_one_consumer()) as items:
                    async for item in items:
                        yield item
            except (Lost, _Hole, nats.errors.Error) as error:
                log.warning("stream reader starts again", extra={"stream": self.stream, "reason": str(error)})
            await asyncio.sleep(_AGAIN_S)

    async def _through_one_consumer(self) -> AsyncGenerator[Stored | None]:
        name = new_id("tail")
        info = await self.js.add_consumer(self.stream, self._config(name))  # pyright: ignore[reportUnknownMemberType]  # untyped **params
        if not info.num_pending:
            yield None
        pull, delivered = await Pull.open(self.nc, self.stream, name, _BATCH), 0
        try:
            while True:
                for message in await pull.next():
                    place = message.metadata
                    delivered += 1
                    if place.sequence.consumer != delivered:
                        raise _Hole(f"message {delivered} of the consumer is missing")
                    yield Stored(
                        place.sequence.stream, place.timestamp, message.subject, message.data, place.num_pending
                    )
                    self.after = place.sequence.stream
                    if not place.num_pending:
                        yield None
        finally:
            await pull.close()

    def _config(self, name: str) -> ConsumerConfig:
        return ConsumerConfig(
            name=name,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=self.after + 1,
            ack_policy=AckPolicy.NONE,
            filter_subject=self.subject,
            inactive_threshold=_KEPT_S,
            mem_storage=True,
            num_replicas=1,
        )


async def last_sequence(js: JetStreamContext, stream: str) -> int:
    """The highest sequence the stream has given. Raises `nats.errors.Error`."""
    return (await js.stream_info(stream)).state.last_seq
