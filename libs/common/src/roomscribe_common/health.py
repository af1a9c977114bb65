"""`/healthz`, `/readyz` and `/metrics` on one small HTTP/1.0 server: too little to need a framework."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable

from roomscribe_common.logs import failure

log = logging.getLogger(__name__)

Ping = Callable[[], Awaitable[None]]
PING_S = 2.0
_REQUEST_S = 5.0
_MAX_REQUEST_BYTES = 8192


class PortInUse(Exception):
    """The health address cannot be bound; names the address and its settings."""


_REFUSED = (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
"""What a request that is none, or none in time, ends in: the connection is closed and nothing else happens."""


class Health:
    """Answers for one process. Not ready until `started`, nor while a ping fails or once `stopping`."""

    def __init__(self, exposition: Callable[[], bytes]) -> None:
        self._exposition = exposition
        self._pings: dict[str, Ping] = {}
        self._server: asyncio.Server | None = None
        self.state = "starting"
        self.port = 0

    def check(self, name: str, ping: Ping) -> None:
        """Adds a dependency to `/readyz`: `ping` raises if it is not usable."""
        self._pings[name] = ping

    async def serve(self, host: str, port: int) -> None:
        """Listens; port 0 takes a free one, `self.port` tells which. Raises `PortInUse`."""
        try:
            self._server = await asyncio.start_server(self._answer, host, port, limit=_MAX_REQUEST_BYTES)
        except OSError as error:
            where = f"{host}:{port} (from ROOMSCRIBE_HEALTH_HOST and ROOMSCRIBE_HEALTH_PORT)"
            raise PortInUse(f"cannot listen on {where}: {error.strerror or error}") from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stops listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def ready(self) -> tuple[bool, dict[str, str]]:
        """Whether work can be done now, and each dependency as `ok` or what is wrong. Takes at most 2 s."""
        results = await asyncio.gather(*(self._ping(ping) for ping in self._pings.values()))
        checks = {
            "process": "ok" if self.state == "started" else self.state,
            **dict(zip(self._pings, results, strict=True)),
        }
        return all(result == "ok" for result in checks.values()), checks

    async def _ping(self, ping: Ping) -> str:
        try:
            async with asyncio.timeout(PING_S):
                await ping()
        except TimeoutError:
            return f"no answer in {PING_S:g} s"
        except Exception as error:  # noqa: BLE001  # a ping may fail in any way, and the page must still be shown
            return failure(error)
        return "ok"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(*_REFUSED):
            async with asyncio.timeout(_REQUEST_S):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self._page(request.split(b"\r\n", 1)[0].decode("latin-1")))
                await writer.drain()
        writer.close()

    async def _page(self, request_line: str) -> bytes:
        method, target, *_ = [*request_line.split(" "), "", ""]
        if method not in ("GET", "HEAD"):
            return _response("405 Method Not Allowed", b"only GET\n", "text/plain", method)
        path = target.split("?")[0]
        if path == "/healthz":
            return _response("200 OK", b"ok\n", "text/plain", method)
        if path == "/metrics":
            return _response("200 OK", self._exposition(), "text/plain; version=0.0.4; charset=utf-8", method)
        if path == "/readyz":
            ready, checks = await self.ready()
            body = json.dumps({"ready": ready, "checks": checks}).encode() + b"\n"
            return _response("200 OK" if ready else "503 Service Unavailable", body, "application/json", method)
        return _response("404 Not Found", b"/healthz, /readyz or /metrics\n", "text/plain", method)


def _response(status: str, body: bytes, content_type: str, method: str) -> bytes:
    head = (
        f"HTTP/1.0 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if method == "HEAD" else body)
