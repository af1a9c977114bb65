"""What was told of meetings and series: the MEETINGS stream, one class of event at a time."""

from collections.abc import AsyncIterator
from typing import Final, TypeVar

from nats.aio.client import Client
from nats.js import JetStreamContext
from pydantic import ValidationError
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.stored import last, stored
from roomscribe_common.subjects import subject_of, wildcard

STREAM: Final = "MEETINGS"
EventT = TypeVar("EventT", bound=AnyEvent)


class Told:
    """Every call raises `Retryable` when the stream does not answer. What no consumer could read is left out."""

    def __init__(self, nc: Client, js: JetStreamContext) -> None:
        self._nc = nc
        self._js = js

    async def all(self, event: type[EventT]) -> AsyncIterator[EventT]:
        """All of a class, oldest first."""
        async for message in stored(self._nc, STREAM, wildcard(event)):
            try:
                yield event.model_validate_json(message.data)
            except ValidationError:
                continue

    async def last(self, event: type[EventT], tenant: str, about: str) -> EventT | None:
        """The newest of a class about one meeting or series; None if there is none."""
        message = await last(self._js, STREAM, subject_of(event, tenant, about))
        try:
            return None if message is None else event.model_validate_json(message.data)
        except ValidationError:
            return None
