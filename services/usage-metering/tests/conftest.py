"""Databases of both kinds, and the service on a real NATS."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import nats
import pytest
from nats.aio.client import Client
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.commands import GetMeetingUsage, GetPeriodUsage, PeriodUsage
from roomscribe_common.contracts.usage import MeetingUsage, MeetingUsageData
from roomscribe_common.service import Service
from roomscribe_common.stored import stored
from roomscribe_common.streams import CONSUMER
from roomscribe_common.subjects import MEETING_USAGE, PERIOD_USAGE, subject_of
from roomscribe_common.testing.databases import ask_database
from roomscribe_common.testing.providers import Servers
from roomscribe_common.testing.service import running_service
from roomscribe_common.testing.settled import settled
from roomscribe_usage_metering.accounts import load_accounts
from roomscribe_usage_metering.adapters import database
from roomscribe_usage_metering.adapters.bookings import Bookings
from roomscribe_usage_metering.adapters.ledgers import Ledgers
from roomscribe_usage_metering.adapters.period_usage import Periods
from roomscribe_usage_metering.adapters.store import EvidenceStore
from roomscribe_usage_metering.adapters.tariffs import Tariffs
from roomscribe_usage_metering.app import build
from roomscribe_usage_metering.pricing.books import built_in
from roomscribe_usage_metering.settings import Settings
from sqlalchemy.ext.asyncio import AsyncEngine

from .billing import Till

[SHIP] = [book for book in built_in() if book.id == "livekit-cloud-ship"]
Running = AbstractAsyncContextManager[Service[Settings]]
Start = Callable[..., Running]


KINDS = ["sqlite", "postgresql"]


@pytest.fixture(params=KINDS)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind without any tables."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/empty.db"
    return request.getfixturevalue("postgres_url")


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest) -> str:
    """A database of each kind with its tables, and nothing in them."""
    return request.getfixturevalue(f"{request.param}_with_tables")


@pytest.fixture
def sqlite_with_tables(sqlite_template: Path, tmp_path: Path) -> str:
    """A copy of a file, for the migrations take longer than most tests."""
    return f"sqlite+aiosqlite:///{shutil.copy(sqlite_template, tmp_path / 'usage.db')}"


@pytest.fixture
async def postgresql_with_tables(servers: Servers, postgres_template: str) -> AsyncIterator[str]:
    """A copy of a database of the shared server."""
    server = servers["postgres"].url
    name = f"test_{uuid4().hex[:12]}"
    await ask_database(server, f'CREATE DATABASE "{name}" TEMPLATE "{postgres_template}"')
    yield f"{server.rsplit('/', 1)[0]}/{name}"
    await ask_database(server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with every table."""
    file = tmp_path_factory.mktemp("template") / "usage.db"
    asyncio.run(_make_tables(f"sqlite+aiosqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def postgres_template(servers: Servers) -> str:
    """The name of a database with every table, on the shared server."""
    server, name = servers["postgres"].url, f"template_{uuid4().hex[:12]}"
    asyncio.run(_make_template(server, name))
    return name


async def _make_template(server: str, name: str) -> None:
    await ask_database(server, f'CREATE DATABASE "{name}"')
    await _make_tables(f"{server.rsplit('/', 1)[0]}/{name}")


async def _make_tables(url: str) -> None:
    engine = database.open_engine(url, 10)
    await database.create_tables(engine)
    await engine.dispose()


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = database.open_engine(database_url, 10)
    yield engine
    await engine.dispose()


@pytest.fixture
def store(engine: AsyncEngine) -> EvidenceStore:
    return EvidenceStore(engine, quiet_ms=0)


@pytest.fixture
def ledgers(store: EvidenceStore) -> Ledgers:
    return Ledgers(store, SHIP)


@pytest.fixture
def tariffs() -> Tariffs:
    return Tariffs(load_accounts(None, built_in(), SHIP.id), built_in())


@pytest.fixture
def till(engine: AsyncEngine) -> Till:
    return Till(engine, load_accounts(None, built_in(), SHIP.id), built_in())


@pytest.fixture
def bookings(engine: AsyncEngine, tariffs: Tariffs) -> Bookings:
    return Bookings(engine, tariffs)


@pytest.fixture
def periods(engine: AsyncEngine, tariffs: Tariffs) -> Periods:
    return Periods(engine, tariffs, SHIP)


@pytest.fixture
def metering(streams: str, database_url: str) -> Start:
    """Starts a replica: `async with metering():`."""

    def start(**settings: str | float) -> Running:
        defaults = {"nats_url": streams, "database_url": database_url, "usage_quiet_s": 0.1}
        return running_service("usage-metering", Settings.model_validate({**defaults, **settings}), build)

    return start


class Bench:
    """Stands for the services around usage-metering."""

    def __init__(self, nc: Client) -> None:
        self.nc = nc
        self.js = nc.jetstream()  # pyright: ignore[reportUnknownMemberType]  # untyped in nats-py
        self.bus = Bus(nc, self.js, "test")

    async def say(self, *events: AnyEvent) -> None:
        """Publish without an id, so that no dedupe window stands between a test and a duplicate."""
        for event in events:
            await self.js.publish(event.subject, event.to_bytes())

    async def usage(self, meeting_id: str = "mtg_1", tenant: str = "acme") -> MeetingUsageData:
        command = GetMeetingUsage(tenant=tenant, meeting_id=meeting_id)
        return await self.bus.request(MEETING_USAGE, command, MeetingUsageData)

    async def period(self, period: str, tenant: str = "acme") -> PeriodUsage:
        return await self.bus.request(PERIOD_USAGE, GetPeriodUsage(tenant=tenant, period=period), PeriodUsage)

    async def told(self, meeting_id: str = "mtg_1", tenant: str = "acme") -> list[MeetingUsage]:
        subject = subject_of(MeetingUsage, tenant, meeting_id)
        return [MeetingUsage.model_validate_json(m.data) async for m in stored(self.nc, "USAGE", subject)]

    async def dead(self) -> int:
        return (await self.js.stream_info("DEAD_LETTERS")).state.messages

    async def settled(self) -> bool:
        """Everything published so far was handled and acked."""
        return all([await settled(self.js, consumer) for consumer in _CONSUMERS])

    async def redeliver_after(self, wait_s: float) -> None:
        """What a dead replica did not ack comes again after so long, instead of after what the table says."""
        for spec in map(CONSUMER.__getitem__, _CONSUMERS):
            await self.js.add_consumer(spec.stream, replace(spec.config(), ack_wait=wait_s))  # pyright: ignore[reportUnknownMemberType]  # untyped in nats-py

    async def until_told(self, count: int = 1, meeting_id: str = "mtg_1") -> list[MeetingUsage]:
        async def reached() -> bool:
            return len(await self.told(meeting_id)) >= count

        await until(reached)
        return await self.told(meeting_id)


_CONSUMERS = ("usage-metering-meetings", "usage-metering-stt-results", "usage-metering-usage", "usage-metering-livekit")


async def until(reached: Callable[[], Awaitable[bool]], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not await reached():
        assert time.monotonic() < deadline, "the condition was not reached in time"
        await asyncio.sleep(0.02)


@pytest.fixture
async def bench(streams: str) -> AsyncIterator[Bench]:
    nc = await nats.connect(streams, connect_timeout=5)  # pyright: ignore[reportUnknownMemberType]  # untyped in nats-py
    yield Bench(nc)
    await nc.close()
