"""uvicorn inside the service: its socket bound before it starts, its stop in our hands."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, Generator

import uvicorn
from fastapi import FastAPI
from roomscribe_common.service import StartFailed

log = logging.getLogger(__name__)

_GRACE_S = 5


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leaves signals to the service."""
        yield


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `StartFailed` naming the address and its settings."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        where = f"{host}:{port} (from ROOMSCRIBE_GATEWAY_HOST and ROOMSCRIBE_GATEWAY_PORT)"
        raise StartFailed(f"cannot listen on {where}: {os.strerror(error.errno or 0)}") from error
    # asyncio sets this itself, but not on sockets it did not make; without it each answer waits 40 ms for an ack.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


async def serve(app: FastAPI, listening: socket.socket, on_stop: Callable[[], None]) -> None:
    """Serves until cancelled; then calls `on_stop` (to end what streams), and lets running requests finish."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=30,
    )
    # uvicorn's own access log holds query strings, and `access_log` does not silence every path to it.
    logging.getLogger("uvicorn.access").disabled = True
    server = _Server(config)
    host, port = listening.getsockname()[:2]
    log.info("listening", extra={"host": host, "port": port})
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        on_stop()
        server.should_exit = True
        await asyncio.wait([serving], timeout=2 * _GRACE_S)
        raise
