"""The one NATS connection of a process: it reconnects for ever, and ends the process when it is closed for good."""

import asyncio
import logging
from collections.abc import Callable

import nats.errors
from nats.aio.client import Client

from roomscribe_common.settings import env_name, redact

log = logging.getLogger(__name__)

RECONNECT_WAIT_S = 0.25


class Unreachable(Exception):
    """A server that cannot be reached at start; `str()` names its address and the setting that holds it."""

    def __init__(self, what: str, address: str, setting: str, reason: str) -> None:
        super().__init__(f"cannot reach {what} at {redact(address)} (from {env_name(setting)}): {reason}")


async def connect(
    url: str, name: str, *, timeout_s: float = 15.0, on_closed: Callable[[], None] = lambda: None
) -> Client:
    """A connected client. `on_closed` is called once it has closed and will not reconnect.

    Raises `Unreachable` after `timeout_s`. `url` may list servers separated by commas.
    """
    client = Client()
    last: list[Exception] = []

    async def on_error(error: Exception) -> None:
        last[:] = [error]
        if client.is_connected:
            log.warning("nats error", extra={"error": str(error) or type(error).__name__})

    async def on_disconnected() -> None:
        if not client.is_closed:
            log.warning("nats disconnected")

    async def on_reconnected() -> None:
        log.warning("nats reconnected")

    async def closed() -> None:
        on_closed()

    log.debug("waiting for nats", extra={"address": redact(url)})
    try:
        async with asyncio.timeout(timeout_s):
            await client.connect(
                [one.strip() for one in url.split(",")],
                name=name,
                error_cb=on_error,
                disconnected_cb=on_disconnected,
                reconnected_cb=on_reconnected,
                closed_cb=closed,
                max_reconnect_attempts=-1,
                reconnect_time_wait=RECONNECT_WAIT_S,  # pyright: ignore[reportArgumentType]  # annotated int, slept as float
                connect_timeout=2,
                ping_interval=10,
            )
    except (TimeoutError, nats.errors.Error, OSError) as error:
        reason = last[0] if last else error
        raise Unreachable("NATS", url, "nats_url", str(reason) or f"no answer in {timeout_s:g} s") from error
    return client


async def close(client: Client) -> None:
    """Sends what is pending and closes, in at most 5 s."""
    try:
        async with asyncio.timeout(5):
            await client.drain()
    except (TimeoutError, nats.errors.Error):
        log.warning("nats closed without draining")
    if not client.is_closed:
        await client.close()
