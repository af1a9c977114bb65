"""One way to run a service: connect, build, consume, and stop in order on a signal or at the first crash."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from typing import Any

from roomscribe_common import connection, logs
from roomscribe_common.clock import watch_clock
from roomscribe_common.health import Health, PortInUse
from roomscribe_common.service import CANCEL_AGAIN_S, Service, SettingsT, StartFailed
from roomscribe_common.settings import BadSettings, load
from roomscribe_common.telemetry import Telemetry

log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def running(
    name: str, settings: SettingsT, build: Callable[[Service[SettingsT]], Awaitable[None]], telemetry: Telemetry
) -> AsyncGenerator[Service[SettingsT]]:
    """The service, started; leaving the block stops it. Raises `Unreachable`, `PortInUse` or `StartFailed`."""
    lost = asyncio.Event()
    health = Health(telemetry.exposition)
    async with contextlib.AsyncExitStack() as stack:
        await health.serve(settings.health_host, settings.health_port)
        stack.push_async_callback(health.close)
        client = f"{name}/{settings.instance}"
        nc = await connection.connect(settings.nats_url, client, timeout_s=settings.start_timeout_s, on_closed=lost.set)
        stack.push_async_callback(connection.close, nc)
        service = Service(name, settings, nc, telemetry, health)
        stack.push_async_callback(service.close)
        service.spawn("nats", _until_lost(lost))
        service.spawn("clock", watch_clock(service.meter))
        await build(service)
        await service.start()
        yield service


async def _until_lost(lost: asyncio.Event) -> None:
    await lost.wait()
    raise ConnectionError("the connection to NATS was closed for good")


async def run_service(name: str, settings: SettingsT, build: Callable[[Service[SettingsT]], Awaitable[None]]) -> None:
    """Runs until SIGTERM or SIGINT, then stops in order and returns. `SystemExit(1)` after one log line if it crashed.

    SIGTERM lets `before_stop` finish; a second one, or SIGINT, does not wait for it.
    """
    logs.configure(
        name, settings.instance, level=settings.log_level, form=settings.log_format, keep_pii=settings.log_pii
    )
    telemetry = Telemetry(name, settings.instance)
    telemetry.install()
    loop, started, told = asyncio.get_running_loop(), asyncio.Event(), _Told()
    serving = asyncio.create_task(_serve(name, settings, build, telemetry, started, told), name=name)

    def stop() -> None:
        if not started.is_set() and not serving.done():
            serving.cancel()
            loop.call_later(CANCEL_AGAIN_S, stop)  # a cancel may be lost in a connect: see `Service.spawn`

    def receive(number: int) -> None:
        told.receive(number)
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, receive, number)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        log.info("stopped")
    except (connection.Unreachable, PortInUse, StartFailed) as error:
        log.critical("cannot start", extra={"error": str(error)})
        raise SystemExit(1) from None
    except Exception as error:  # the process boundary
        log.critical("crashed", exc_info=error)
        raise SystemExit(1) from None
    finally:
        telemetry.shutdown()


class _Told:
    """What signals said: to stop, and to stop at once."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.at_once = asyncio.Event()

    def receive(self, number: int) -> None:
        if number == signal.SIGINT or self.stop.is_set():
            self.at_once.set()
        self.stop.set()


async def _serve(
    name: str,
    settings: SettingsT,
    build: Callable[[Service[SettingsT]], Awaitable[None]],
    telemetry: Telemetry,
    started: asyncio.Event,
    told: _Told,
) -> None:
    async with running(name, settings, build, telemetry) as service:
        started.set()
        await _first(service.stopping.wait(), told.stop.wait())
        if not service.stopping.is_set():
            await _first(service.drain(), told.at_once.wait(), service.stopping.wait())
    if service.crash is not None:
        raise service.crash


async def _first(*waits: Coroutine[Any, Any, object]) -> None:
    """Returns with the first of them, and cancels the others."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def main(name: str, settings: type[SettingsT], build: Callable[[Service[SettingsT]], Awaitable[None]]) -> None:
    """A service's `__main__`: settings from the environment, then `run_service`. Exit 1 on a bad one or a crash."""
    try:
        loaded = load(settings)
    except BadSettings as error:
        sys.exit(str(error))
    asyncio.run(run_service(name, loaded, build))
