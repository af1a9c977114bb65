"""Reading what a stream holds, without a consumer: all messages of a subject from a position on, or the last one."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from roomscribe_common.errors import Retryable

_BATCH: Final = 500
_DEADLINE_S: Final = 10.0
_NOT_FOUND: Final = "404"
_END_OF_BATCH: Final = "204"


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as its stream holds it; `sequence` is its position in the stream."""

    subject: str
    sequence: int
    data: bytes
    headers: Mapping[str, str]


async def stored(nc: Client, stream: str, subject: str, first: int = 1) -> AsyncIterator[Stored]:
    """Every message on `subject` (wildcards allowed) at position `first` or later, oldest first.

    The stream must allow direct reads. Of a replicated stream a follower may answer, so the newest may be missing.
    Raises `Retryable` if the server does not answer.
    """
    more = True
    while more:
        batch, more = await _batch(nc, stream, subject, first)
        for message in batch:
            yield message
            first = message.sequence + 1


async def last(js: JetStreamContext, stream: str, subject: str) -> Stored | None:
    """The newest message on `subject`, asked of the stream's leader; None if there is none. Raises `Retryable`."""
    try:
        async with asyncio.timeout(_DEADLINE_S):
            found = await js.get_last_msg(stream, subject)
    except NotFoundError:
        return None
    except (TimeoutError, nats.errors.Error) as error:
        raise Retryable(f"stream {stream} did not answer") from error
    headers = cast(dict[str, str], found.headers or {})  # pyright: ignore[reportUnknownMemberType]  # a bare Dict there
    return Stored(found.subject or subject, found.seq or 0, found.data or b"", headers)


async def _batch(nc: Client, stream: str, subject: str, first: int) -> tuple[list[Stored], bool]:
    question = {"seq": max(first, 1), "batch": _BATCH, "next_by_subj": subject}
    try:
        async with asyncio.timeout(_DEADLINE_S):
            return await _answer(nc, stream, json.dumps(question).encode())
    except (TimeoutError, nats.errors.Error) as error:
        raise Retryable(f"stream {stream} did not answer a read") from error


async def _answer(nc: Client, stream: str, question: bytes) -> tuple[list[Stored], bool]:
    inbox = nc.new_inbox()
    subscription = await nc.subscribe(inbox)  # pyright: ignore[reportUnknownMemberType]  # a bare Future there
    messages: list[Stored] = []
    try:
        await nc.publish(f"$JS.API.DIRECT.GET.{stream}", question, reply=inbox)
        while True:
            message = await subscription.next_msg(timeout=_DEADLINE_S)
            headers = message.headers or {}
            status = headers.get("Status")
            if status is None:
                messages.append(_stored(message))
            elif status == _END_OF_BATCH:
                return messages, int(headers["Nats-Num-Pending"]) > 0
            elif status == _NOT_FOUND:
                return messages, False
            else:
                raise Retryable(f"stream {stream} answered a read with {status}")
    finally:
        await subscription.unsubscribe()


def _stored(message: Msg) -> Stored:
    headers = message.headers or {}
    return Stored(headers["Nats-Subject"], int(headers["Nats-Sequence"]), message.data, headers)
