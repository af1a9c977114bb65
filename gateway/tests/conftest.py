"""A gateway on real servers, with a fake dispatcher and a fake usage-metering on the bus."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from nats.aio.client import Client
from roomscribe_common import connection
from roomscribe_common.bus import Bus
from roomscribe_common.pull import BoundJetStream
from roomscribe_common.service import Service
from roomscribe_common.testing.service import running_service
from roomscribe_gateway.app import build
from roomscribe_gateway.settings import GatewaySettings

from .meetings import FakeDispatcher, Publisher

KEYS = {"key-of-acme-1": "acme", "key-of-acme-2": "acme", "key-of-globex": "globex"}
SECRET = "test-secret-of-at-least-32-characters"
ACME = {"Authorization": "Bearer key-of-acme-1"}
GLOBEX = {"Authorization": "Bearer key-of-globex"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Gateway:
    url: str
    service: Service[GatewaySettings]
    client: httpx.AsyncClient
    globex: httpx.AsyncClient
    anonymous: httpx.AsyncClient

    def metric(self, name: str) -> float:
        """The sum of a metric's series."""
        lines = self.service.telemetry.exposition().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


@pytest.fixture
async def nc(streams: str) -> AsyncIterator[Client]:
    client = await connection.connect(streams, "test")
    yield client
    await client.close()


@pytest.fixture
def bus(nc: Client) -> Bus:
    return Bus(nc, BoundJetStream(nc), "test")


@pytest.fixture
def publisher(bus: Bus) -> Publisher:
    return Publisher(bus)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/archive.db"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


MakeSettings = Callable[..., GatewaySettings]


@pytest.fixture
def make_settings(streams: str, sqlite_url: str) -> MakeSettings:
    def make(**changes: object) -> GatewaySettings:
        given: dict[str, object] = {
            "nats_url": streams,
            "database_url": sqlite_url,
            "gateway_port": free_port(),
            "gateway_api_keys": KEYS,
            "gateway_command_timeout_s": 1.0,
            "gateway_end_grace_s": 0.0,
            "livekit_url": "ws://127.0.0.1:7880",
            "livekit_api_key": "testkey",
            "livekit_api_secret": SECRET,
        }
        return GatewaySettings.model_validate(given | changes)

    return make


Serve = Callable[[GatewaySettings], AbstractAsyncContextManager[Gateway]]


@pytest.fixture
def serve() -> Serve:
    @asynccontextmanager
    async def serving(settings: GatewaySettings) -> AsyncGenerator[Gateway]:
        url = f"http://127.0.0.1:{settings.gateway_port}"
        async with (
            running_service("gateway", settings, build) as service,
            httpx.AsyncClient(base_url=url, headers=ACME, timeout=10) as client,
            httpx.AsyncClient(base_url=url, headers=GLOBEX, timeout=10) as globex,
            httpx.AsyncClient(base_url=url, timeout=10) as anonymous,
        ):
            await answers(anonymous)
            yield Gateway(url, service, client, globex, anonymous)

    return serving


async def answers(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                if (await client.get("/healthz")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.02)


@pytest.fixture
async def gateway(serve: Serve, make_settings: MakeSettings) -> AsyncIterator[Gateway]:
    async with serve(make_settings()) as running:
        yield running


@dataclass
class Until:
    """Waits for a condition with a deadline."""

    timeout_s: float = field(default=10.0)

    async def get(
        self, client: httpx.AsyncClient, path: str, condition: Callable[[httpx.Response], bool]
    ) -> httpx.Response:
        async with asyncio.timeout(self.timeout_s):
            while True:
                response = await client.get(path)
                if condition(response):
                    return response
                await asyncio.sleep(0.02)


async def eventually(condition: Callable[[], Awaitable[bool]], timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)


@pytest.fixture
def until() -> Until:
    return Until()


@pytest.fixture
async def dispatcher(bus: Bus) -> FakeDispatcher:
    fake = FakeDispatcher(bus)
    await fake.listen()
    return fake
