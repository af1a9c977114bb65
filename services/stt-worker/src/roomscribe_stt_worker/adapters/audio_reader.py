"""Reads one utterance's audio subject from its first chunk, through lost consumers and lost connections."""

import asyncio
import contextlib
import json
from types import TracebackType
from typing import Final, Self

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError
from roomscribe_common.bus import EXPECTED_LAST_SUBJECT_SEQUENCE, MSG_ID
from roomscribe_common.contracts.audio import ChunkHeaders

AUDIO: Final = "AUDIO"
BEAT_S: Final = 1.0
_CREDIT: Final = 256
"""Chunks asked for at a time; what waits here is never more."""
_EXPIRES_S: Final = 30.0
_SILENT_S: Final = 2.5 * BEAT_S
_INACTIVE_S: Final = 30.0
_AGAIN_S: Final = 0.5
_IDLE_HEARTBEAT: Final = "100"
_CREDIT_USED_UP: Final = "408"


class AudioReader:
    """An ephemeral pull consumer on one subject, unacknowledged.

    If it stops answering (the server restarted, the consumer was dropped) another begins at the first chunk again:
    stream sequences may have started anew, and whoever assembles chunks knows those it has.
    """

    def __init__(self, nc: Client, js: JetStreamContext, subject: str) -> None:
        self._nc = nc
        self._js = js
        self._subject = subject
        self._arrived: asyncio.Queue[Msg] = asyncio.Queue()
        self._inbox: Subscription | None = None
        self._consumer: str | None = None
        self._credit = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._drop()

    @property
    def behind(self) -> bool:
        """More chunks are waiting here already."""
        return not self._arrived.empty()

    async def next(self) -> Msg | None:
        """The next chunk, or None each time the server has said for another second that there is none."""
        while True:
            if self._inbox is None:
                await self._begin()
                continue
            if self._credit <= 0:
                await self._ask()
            try:
                async with asyncio.timeout(_SILENT_S):
                    message = await self._arrived.get()
            except TimeoutError:
                await self._drop()
                continue
            status = (message.headers or {}).get("Status")
            if status is None or message.reply.startswith("$JS.ACK"):
                self._credit -= 1
                return message
            if status == _IDLE_HEARTBEAT:
                return None
            self._credit = 0
            if status != _CREDIT_USED_UP:
                await self._drop()
                await asyncio.sleep(_AGAIN_S)

    async def end(self, newest: Msg, last: ChunkHeaders) -> bool:
        """Puts a last chunk behind the newest, so that no speaker adds to it unheard. False if one just has, or the
        server does not answer. True also if no audio is left: then somebody else has heard it out.
        """
        behind = {
            MSG_ID: f"{last.utterance_id}:end",
            EXPECTED_LAST_SUBJECT_SEQUENCE: str(newest.metadata.sequence.stream),
        }
        try:
            await self._js.publish(self._subject, b"", timeout=_SILENT_S, headers=last.to_headers() | behind)
        except nats.errors.Error:
            return await self._is_gone()
        return True

    async def _is_gone(self) -> bool:
        try:
            await self._js.get_last_msg(AUDIO, self._subject)
        except NotFoundError:
            return True
        except nats.errors.Error:
            return False
        return False

    async def _begin(self) -> None:
        config = ConsumerConfig(
            filter_subject=self._subject,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.NONE,
            mem_storage=True,
            num_replicas=1,
            inactive_threshold=_INACTIVE_S,
        )
        try:
            inbox = self._nc.new_inbox()
            self._arrived = asyncio.Queue()
            self._inbox = await self._nc.subscribe(inbox, cb=self._arrived.put)  # pyright: ignore[reportUnknownMemberType]  # a parameter of it lacks a type
            info = await self._js.add_consumer(AUDIO, config)  # pyright: ignore[reportUnknownMemberType]  # as above
            self._consumer = info.name
            await self._ask()
        except nats.errors.Error:
            await self._drop()
            await asyncio.sleep(_AGAIN_S)

    async def _ask(self) -> None:
        assert self._inbox is not None
        request = {"batch": _CREDIT, "expires": int(_EXPIRES_S * 1e9), "idle_heartbeat": int(BEAT_S * 1e9)}
        await self._nc.publish(
            f"$JS.API.CONSUMER.MSG.NEXT.{AUDIO}.{self._consumer}",
            json.dumps(request).encode(),
            reply=self._inbox.subject,
        )
        self._credit = _CREDIT

    async def _drop(self) -> None:
        inbox, consumer = self._inbox, self._consumer
        self._inbox = self._consumer = None
        self._credit = 0
        # Best effort: the server drops an unused consumer by itself.
        with contextlib.suppress(nats.errors.Error):
            if inbox is not None:
                await inbox.unsubscribe()
            if consumer is not None and self._nc.is_connected:
                await self._js.delete_consumer(AUDIO, consumer)
