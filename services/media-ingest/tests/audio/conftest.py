"""A real NATS for the tests of one track."""

from collections.abc import AsyncIterator

import pytest
from roomscribe_common.bus import Bus

from .tracking import connected


@pytest.fixture
async def bus(streams: str) -> AsyncIterator[Bus]:
    async with connected(streams) as found:
        yield found
