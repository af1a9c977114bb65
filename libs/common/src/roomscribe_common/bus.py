"""The bus: acknowledged publishing that retries, core events, and commands by request and reply."""

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar, cast

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext
from nats.js.api import PubAck
from nats.js.errors import APIError
from opentelemetry.trace import Tracer, get_tracer
from pydantic import BaseModel

from roomscribe_common import commands, deadletter, telemetry
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.errors import Permanent, ProblemError, Retryable
from roomscribe_common.reader import EventT, Reader
from roomscribe_common.registry import BY_TYPE
from roomscribe_common.streams import entrance

log = logging.getLogger(__name__)

MSG_ID: Final = "Nats-Msg-Id"
EXPECTED_LAST_SUBJECT_SEQUENCE: Final = "Nats-Expected-Last-Subject-Sequence"

_WRONG_LAST_SEQUENCE: Final = 10071
_ACK_TIMEOUT_S: Final = 2.0
_FIRST_RETRY_S: Final = 0.05
_LONGEST_RETRY_S: Final = 1.0
_CORE_DEADLINE_S: Final = 10.0
_CORE_PENDING_MSGS: Final = 8192
_CORE_PENDING_BYTES: Final = 16 * 1024 * 1024
_REPLIES_AT_ONCE: Final = 64

RequestT = TypeVar("RequestT", bound=BaseModel)
ResponseT = TypeVar("ResponseT", bound=BaseModel)


class WrongSequence(Retryable):
    """Someone else published on the subject first; `actual` is the subject's last stream sequence now."""

    def __init__(self, subject: str, expected: int, actual: int | None) -> None:
        super().__init__(f"{subject}: expected last sequence {expected}, found {actual}", delay_s=0.1)
        self.actual = actual


class Bus:
    """What a process says and hears outside durable consumers. One per connection."""

    def __init__(self, nc: Client, js: JetStreamContext, service: str, tracer: Tracer | None = None) -> None:
        self.nc = nc
        self.js = js
        self.service = service
        self._tracer = tracer or get_tracer(telemetry.SCOPE)
        self._running: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(_REPLIES_AT_ONCE)

    async def publish(
        self, event: AnyEvent, *, expected_last_subject_sequence: int | None = None, deadline_s: float = 30.0
    ) -> PubAck:
        """Stores the event in its stream, once: a second publish of the same event id is acked as a duplicate.

        Retries until `deadline_s`, then raises `Retryable`. Raises `WrongSequence` (see `expected_…`: optimistic
        concurrency on the event's own subject, 0 for "the first") and `Permanent` if the server refuses the message.
        """
        headers = {MSG_ID: event.id}
        if expected_last_subject_sequence is not None:
            headers[EXPECTED_LAST_SUBJECT_SEQUENCE] = str(expected_last_subject_sequence)
        try:
            return await self.publish_bytes(event.subject, event.to_bytes(), headers, deadline_s=deadline_s)
        except WrongSequence as lost:
            # The server looks at the sequence before the id: after a lost ack our own message stands in our way.
            if (ours := await self._stored_already(event, lost.actual)) is not None:
                return ours
            raise

    async def _stored_already(self, event: AnyEvent, sequence: int | None) -> PubAck | None:
        stream = BY_TYPE[event.TYPE].stream
        if not sequence or stream is None:
            return None
        try:
            found = await self.js.get_msg(stream, sequence)
        except nats.errors.Error:
            return None
        headers = cast("dict[str, str]", found.headers or {})  # pyright: ignore[reportUnknownMemberType]  # untyped dict
        if headers.get(MSG_ID) != event.id:
            return None
        return PubAck(stream=stream, seq=sequence, duplicate=True)

    async def publish_bytes(
        self, subject: str, payload: bytes, headers: dict[str, str], *, deadline_s: float = 30.0
    ) -> PubAck:
        """As `publish`, for a message that is no event (audio). `headers` must hold `Nats-Msg-Id`."""
        assert MSG_ID in headers, "each message has an id"
        telemetry.inject(headers)
        entry, delay_s = entrance(subject), _FIRST_RETRY_S
        try:
            async with asyncio.timeout(deadline_s):
                while True:
                    try:
                        return await self.js.publish(entry, payload, timeout=_ACK_TIMEOUT_S, headers=headers)
                    except nats.errors.Error as error:
                        _raise_unless_passing(error, subject, headers)
                        log.warning("publish retried", extra={"subject": telemetry.label(subject), "error": str(error)})
                    await asyncio.sleep(delay_s)
                    delay_s = min(delay_s * 2, _LONGEST_RETRY_S)
        except TimeoutError as error:
            raise Retryable(f"no stream acknowledged {telemetry.label(subject)} in {deadline_s:g} s") from error

    async def publish_core(self, event: AnyEvent) -> None:
        """Sends the event on core NATS: whoever listens now gets it, and it may be lost."""
        await self.nc.publish(event.subject, event.to_bytes(), headers=telemetry.inject({MSG_ID: event.id}))

    async def request(
        self, subject: str, message: BaseModel, response: type[ResponseT], timeout_s: float = 5.0
    ) -> ResponseT:
        """Asks another service and returns its answer. Raises `ProblemError`: its refusal, or no answer in time."""
        headers = telemetry.inject({})
        try:
            reply = await self.nc.request(subject, commands.encode(message), timeout=timeout_s, headers=headers)
        except nats.errors.Error as error:
            raise commands.no_answer(subject, timeout_s, error) from error
        return commands.read_answer(subject, reply.data, response)

    async def subscribe(
        self, subject: str, handler: Callable[[EventT], Awaitable[None]], *models: type[EventT], queue: str = ""
    ) -> Subscription:
        """Calls `handler` for each core message in turn. A malformed one is dead-lettered, a failure is logged."""
        reader = Reader(*models)

        async def receive(msg: Msg) -> None:
            with telemetry.processing(self._tracer, msg.subject, msg.headers):
                try:
                    async with asyncio.timeout(_CORE_DEADLINE_S):
                        await handler(reader.read(msg.subject, msg.data))
                except Permanent as refused:
                    await deadletter.bury(self, deadletter.of_core(msg, self.service, refused.reason))
                except Exception:  # a process boundary: one message must not end the subscription
                    log.exception("core handler failed", extra={"subject": telemetry.label(msg.subject)})

        return await self.nc.subscribe(  # pyright: ignore[reportUnknownMemberType]  # its `future` is untyped
            subject,
            queue=queue,
            cb=receive,
            pending_msgs_limit=_CORE_PENDING_MSGS,
            pending_bytes_limit=_CORE_PENDING_BYTES,
        )

    async def reply(
        self, subject: str, handler: Callable[[RequestT], Awaitable[BaseModel]], request: type[RequestT]
    ) -> Subscription:
        """Answers a command; replicas of a service share the work. At most 64 run at once, 10 s each."""

        async def receive(msg: Msg) -> None:
            await self._slots.acquire()
            task = asyncio.create_task(self._answer(msg, handler, request))
            self._running.add(task)
            task.add_done_callback(self._finished)

        return await self.nc.subscribe(  # pyright: ignore[reportUnknownMemberType]  # its `future` is untyped
            subject, queue=self.service, cb=receive, pending_msgs_limit=_CORE_PENDING_MSGS
        )

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._slots.release()

    async def _answer(
        self, msg: Msg, handler: Callable[[RequestT], Awaitable[BaseModel]], request: type[RequestT]
    ) -> None:
        with telemetry.processing(self._tracer, msg.subject, msg.headers):
            answer = await _done(msg, handler, request)
            if len(answer) > self.nc.max_payload:
                extra = {"subject": telemetry.label(msg.subject), "size_bytes": len(answer)}
                log.error("answer larger than the server takes", extra=extra)
                answer = commands.refused(commands.too_large(len(answer), self.nc.max_payload))
        if msg.reply:
            with contextlib.suppress(nats.errors.Error):  # the caller's timeout covers a lost answer
                await msg.respond(answer)

    async def finish(self, timeout_s: float) -> None:
        """Waits for the commands being answered, then cancels those still running."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=timeout_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


async def _done(msg: Msg, handler: Callable[[RequestT], Awaitable[BaseModel]], request: type[RequestT]) -> bytes:
    try:
        async with asyncio.timeout(_CORE_DEADLINE_S):
            return commands.accepted(await handler(commands.read_request(msg.data, request)))
    except ProblemError as error:
        return commands.refused(error.problem)
    except Retryable as error:
        return commands.refused(commands.try_again(error.reason))
    except Permanent as error:
        return commands.refused(commands.impossible(error.reason))
    except Exception:  # a process boundary: the caller must get an answer whatever happens
        log.exception("command failed", extra={"subject": telemetry.label(msg.subject)})
        return commands.refused(commands.internal())


def _raise_unless_passing(error: nats.errors.Error, subject: str, headers: dict[str, str]) -> None:
    """Returns if another try may succeed."""
    if isinstance(error, APIError) and error.err_code == _WRONG_LAST_SEQUENCE:
        found = re.search(r"(\d+)\s*$", error.description or "")
        expected = int(headers[EXPECTED_LAST_SUBJECT_SEQUENCE])
        raise WrongSequence(subject, expected, int(found[1]) if found else None) from error
    if isinstance(error, nats.errors.ConnectionClosedError | nats.errors.ConnectionDrainingError):
        raise Retryable("the connection to NATS is closed") from error
    if isinstance(error, nats.errors.MaxPayloadError | nats.errors.BadSubjectError):
        raise Permanent(f"{telemetry.label(subject)} was refused: {error}") from error
    if isinstance(error, APIError) and error.code is not None and error.code < 500:
        raise Permanent(f"{telemetry.label(subject)} was refused: {error.description}") from error
