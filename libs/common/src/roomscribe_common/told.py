"""What was told: the events that a stream holds, one class at a time. What is malformed is left out, with a warning."""

import logging
from collections.abc import AsyncIterator

from nats.aio.client import Client
from nats.js import JetStreamContext

from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.errors import Permanent
from roomscribe_common.reader import EventT, Reader
from roomscribe_common.registry import BY_TYPE, stream_of
from roomscribe_common.stored import Stored, last, stored
from roomscribe_common.subjects import subject_of, wildcard

log = logging.getLogger(__name__)


async def all_events(nc: Client, event: type[EventT], tenant: str = "*", about: str = "*") -> AsyncIterator[EventT]:
    """All of a class, oldest first: everybody's, a tenant's, or those about one meeting (or series).

    Raises `Retryable` if the stream does not answer. Of a replicated stream the newest may be missing.
    """
    async for message in stored(nc, stream_of(event), _filter(event, tenant, about)):
        found = read_event(event, message)
        if found is not None:
            yield found


async def last_event(js: JetStreamContext, event: type[EventT], tenant: str, about: str) -> EventT | None:
    """The newest of a class about one meeting (or series). See `last_event_on`."""
    return await last_event_on(js, event, subject_of(event, tenant, about))


async def last_event_on(js: JetStreamContext, event: type[EventT], subject: str) -> EventT | None:
    """The newest on a subject; None if there is none, or it is malformed. Raises `Retryable`."""
    message = await last(js, stream_of(event), subject)
    return None if message is None else read_event(event, message)


def read_event(event: type[EventT], message: Stored) -> EventT | None:
    """The event that a stored message is; None if it is none: who consumes it durably dead-letters it."""
    try:
        return Reader(event).read(message.subject, message.data)
    except Permanent:
        # The reason may quote a refused value, so the line says where the message is and not what it holds.
        extra = {"type": event.TYPE, "stream": stream_of(event), "sequence": message.sequence}
        log.warning("malformed event left out", extra=extra)
        return None


def _filter(event: type[AnyEvent], tenant: str, about: str) -> str:
    if about == "*":
        return wildcard(event, tenant)
    one = wildcard(event, tenant, about)
    return one if BY_TYPE[event.TYPE].depth == "meeting" else f"{one}.>"
