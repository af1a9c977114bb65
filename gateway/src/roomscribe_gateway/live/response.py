"""Sends an event stream to its reader, and lets go of one that has gone or takes nothing."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from roomscribe_gateway.live.hub import Hub

log = logging.getLogger(__name__)

# A browser waits this long before it comes back; proxies shall not buffer.
_RETRY = b"retry: 1000\n\n"
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class EventsResponse(Response):
    """`frames` until they end, the reader leaves, takes nothing for `slow_s`, or the process stops."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes], hub: Hub, slow_s: float) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._frames = frames
        self._hub = hub
        self._slow_s = slow_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves the request."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        writer = asyncio.create_task(self._write(send))
        gone = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait([writer, gone], return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not writer.done():
                writer.cancel()
            await asyncio.gather(gone, writer, return_exceptions=True)
        if not writer.cancelled() and writer.result():
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _write(self, send: Send) -> bool:
        """Whether the response may be ended in order."""
        async with self._hub.one(), aclosing(self._frames) as frames:
            if not await self._sent(send, _RETRY):
                return False
            async for chunk in frames:
                if not await self._sent(send, chunk):
                    return False
        return True

    async def _sent(self, send: Send, chunk: bytes) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._slow_s):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                return True
        # Whatever was sent last carries the id to resume from.
        log.warning("slow reader disconnected", extra={"slow_s": self._slow_s})
        return False


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
