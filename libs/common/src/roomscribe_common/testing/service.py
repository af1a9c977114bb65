"""A service inside a test: its own `build`, on real servers, in this process."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from roomscribe_common.process import running
from roomscribe_common.service import Service, SettingsT
from roomscribe_common.telemetry import Telemetry


@asynccontextmanager
async def running_service(
    name: str, settings: SettingsT, build: Callable[[Service[SettingsT]], Awaitable[None]]
) -> AsyncGenerator[Service[SettingsT]]:
    """The service, started; stopped at the end. Raises what made it crash, if anything did."""
    telemetry = Telemetry(name, settings.instance)
    try:
        async with running(name, settings, build, telemetry) as service:
            yield service
    finally:
        telemetry.shutdown()
    if service.crash is not None:
        raise service.crash
