"""A real node as a process of its own, on real servers, and people who join its rooms."""

from collections.abc import AsyncGenerator

import pytest_asyncio
from roomscribe_common.testing.empty_streams import provision_empty
from roomscribe_common.testing.fixtures import Livekit
from roomscribe_common.testing.providers import Servers

from .node import Node
from .rooms import Rooms


@pytest_asyncio.fixture(loop_scope="module")
async def rooms(livekit: Livekit) -> AsyncGenerator[Rooms]:
    async with Rooms.open(livekit) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def node(servers: Servers, nats_url: str, livekit: Livekit) -> AsyncGenerator[Node]:
    """One node for a module's tests; each test has meetings of its own."""
    await provision_empty(nats_url)
    async with Node.running(nats_url, servers["redis"].url, livekit) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def own_node(servers: Servers, nats_url: str, livekit: Livekit) -> AsyncGenerator[Node]:
    """A node to kill or stop."""
    await provision_empty(nats_url)
    async with Node.running(nats_url, servers["redis"].url, livekit) as started:
        yield started
