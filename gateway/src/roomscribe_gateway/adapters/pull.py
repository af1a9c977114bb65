"""One pull consumer, read in order: whatever has come, at once; and word of it when nothing can come any more.

nats-py's `fetch` waits for a full batch or its timeout, and its ordered consumer stays silent for seconds after the
server was away. Here a pull request stays open at the server with a heartbeat, so a silence means it was lost.
"""

import json

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

_HEARTBEAT_S = 1.0
_SILENCE_S = 2.5
_EXPIRES_S = 30.0
_NANO = 1_000_000_000
_HEARTBEAT, _OVER = "100", ("404", "408")


class Lost(Exception):
    """The consumer, its stream or the server is away; open the pull anew."""


class Pull:
    """Use `open`, and `close` when done. At most `batch` messages are on their way or waiting here."""

    def __init__(self, nc: Client, inbox: Subscription, subject: str, batch: int) -> None:
        self._nc = nc
        self._inbox = inbox
        self._subject = subject
        self._batch = batch
        self._asked_for = 0

    @classmethod
    async def open(cls, nc: Client, stream: str, consumer: str, batch: int) -> "Pull":
        """A pull on an existing consumer. Raises `nats.errors.Error` if the connection is closed."""
        inbox = await nc.subscribe(nc.new_inbox())  # pyright: ignore[reportUnknownMemberType]  # its `future` is untyped
        return cls(nc, inbox, f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}", batch)

    async def next(self) -> list[Msg]:
        """What has come, in order; an empty list if nothing did for a while. Raises `Lost`."""
        if self._asked_for == 0:
            await self._ask()
        messages: list[Msg] = []
        try:
            while not messages or (self._inbox.pending_msgs and len(messages) < self._batch):
                message = await self._inbox.next_msg(timeout=_SILENCE_S)
                status = (message.headers or {}).get("Status") if not message.data else None
                if status is None:
                    messages.append(message)
                    self._asked_for -= 1
                else:
                    self._note(status, message)
                    break
        except nats.errors.Error as error:
            if not messages:
                raise Lost(str(error) or "no heartbeat from the server") from error
        return messages

    def _note(self, status: str, message: Msg) -> None:
        if status in _OVER:
            self._asked_for = 0
        elif status != _HEARTBEAT:
            raise Lost((message.headers or {}).get("Description") or f"status {status}")

    async def _ask(self) -> None:
        times = {"expires": int(_EXPIRES_S * _NANO), "idle_heartbeat": int(_HEARTBEAT_S * _NANO)}
        try:
            payload = json.dumps({"batch": self._batch, **times}).encode()
            await self._nc.publish(self._subject, payload, self._inbox.subject)
        except nats.errors.Error as error:
            raise Lost(str(error)) from error
        self._asked_for = self._batch

    async def close(self) -> None:
        """Ends the pull; what was on its way is delivered to the next one."""
        try:
            await self._inbox.unsubscribe()
        except nats.errors.Error:
            return
