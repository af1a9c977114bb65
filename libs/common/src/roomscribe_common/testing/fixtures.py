"""Pytest fixtures over real servers. The root conftest loads them with `pytest_plugins`."""

import socket
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass

import pytest

from roomscribe_common.servers import LivekitKeys
from roomscribe_common.testing.databases import fresh_database
from roomscribe_common.testing.providers import Servers, choose_provider

LIVEKIT_KEYS = LivekitKeys(api_key="testkey", api_secret="test-secret-of-at-least-32-characters")


@dataclass(frozen=True)
class Livekit:
    """A running LiveKit server and the key to it."""

    url: str
    api_key: str
    api_secret: str


@pytest.fixture(scope="session")
def servers() -> Generator[Servers]:
    """Servers by name (`servers["nats"]`), started when first asked for, stopped at the end of the run."""
    handed_out = Servers(choose_provider(), LIVEKIT_KEYS)
    try:
        yield handed_out
    finally:
        handed_out.close()


@pytest.fixture(scope="session")
def nats_url(servers: Servers) -> str:
    """The shared NATS server with JetStream. What is in it stays between tests: see `streams`."""
    return servers["nats"].url


@pytest.fixture
async def streams(nats_url: str) -> str:
    """The shared NATS server's address, with every stream and consumer provisioned and empty."""
    from roomscribe_common.testing.empty_streams import provision_empty

    await provision_empty(nats_url)
    return nats_url


@pytest.fixture
def redis_url(servers: Servers) -> str:
    """The shared Redis server, emptied for this test."""
    url = servers["redis"].url
    port = int(url.rsplit(":", 1)[1].split("/")[0])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"FLUSHALL\r\n")
        assert connection.recv(64).startswith(b"+OK")
    return url


@pytest.fixture(scope="session")
def livekit(servers: Servers) -> Livekit:
    """The shared LiveKit server and its key; it posts no webhooks (`servers.start("livekit", webhook_url=…)` does)."""
    return Livekit(servers["livekit"].url, LIVEKIT_KEYS.api_key, LIVEKIT_KEYS.api_secret)


@pytest.fixture
async def postgres_url(servers: Servers) -> AsyncGenerator[str]:
    """A new database of the shared PostgreSQL server, dropped after the test (`postgresql+asyncpg://…`)."""
    async with fresh_database(servers["postgres"].url) as url:
        yield url
