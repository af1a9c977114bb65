"""A receiver over real HTTP, with troubles on the way there and back."""

import contextlib
import json
import time
from collections.abc import AsyncGenerator
from typing import Literal

from aiohttp import web

from .strict import Receiver, Reply

Trouble = Literal["busy", "broken", "cut"]
"""`busy`: 429 with Retry-After. `broken`: 500. `cut`: taken, and the connection cut before the answer."""


class Served:
    """`troubles` happen to the next requests, one each. `asked` counts requests."""

    def __init__(self, receiver: Receiver, url: str) -> None:
        self.receiver, self.url = receiver, url
        self.troubles: list[Trouble | None] = []
        self.asked = 0


@contextlib.asynccontextmanager
async def served(receiver: Receiver) -> AsyncGenerator[Served]:
    """The receiver on a free port."""
    found = Served(receiver, "")

    async def handle(request: web.Request) -> web.StreamResponse:
        found.asked += 1
        trouble = found.troubles.pop(0) if found.troubles else None
        if trouble == "busy":
            return web.Response(status=429, headers={"Retry-After": "0"})
        if trouble == "broken":
            return web.Response(status=500)
        headers = {name.lower(): value for name, value in request.headers.items()}
        reply = receiver.take(request.path, headers, await request.read(), int(time.time()))
        if trouble == "cut" and request.transport is not None:
            request.transport.abort()
        return _response(reply)

    app = web.Application(client_max_size=100 * 1024 * 1024)
    app.router.add_post("/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        found.url = f"http://{host}:{port}"
        yield found
    finally:
        await runner.cleanup()


def _response(reply: Reply) -> web.Response:
    body = b"" if reply.body is None else json.dumps(reply.body).encode()
    return web.Response(status=reply.status, body=body, headers=dict(reply.headers))
