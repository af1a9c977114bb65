"""A trial on a stack whose database is a PostgreSQL of its own, which can die too."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from roomscribe_cli.testing import Stacks
from roomscribe_common.servers import LivekitKeys
from roomscribe_common.testing.providers import Server, Servers, choose_provider

from tests.chaos.evidence import Evidence
from tests.chaos.run import trial_on
from tests.chaos.trial import World

Trial = Callable[[World, Server], Coroutine[Any, Any, Evidence]]


def on_postgres(stacks: Stacks, name: str, trial: Trial, env: dict[str, str] | None = None) -> Evidence:
    """What the trial returns; its stack must end well."""
    servers = Servers(choose_provider(), LivekitKeys.random())
    try:
        database = servers.start("postgres")
        up = stacks.up(name, {"ROOMSCRIBE_DATABASE_URL": database.url, **(env or {})}).wait_ready()
        evidence = trial_on(up, lambda world: trial(world, database))
        assert up.end() == 0
        return evidence
    finally:
        servers.close()


async def down(database: Server, for_s: float) -> None:
    """Killed, and started again after a time."""
    await asyncio.to_thread(database.kill)
    await asyncio.sleep(for_s)
    database.start()
    await asyncio.to_thread(database.wait_ready)
