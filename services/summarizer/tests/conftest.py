"""A model server, and the service on a real NATS."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager

import nats
import pytest
from roomscribe_common.service import Service
from roomscribe_common.testing.service import running_service
from roomscribe_summarizer.app import build
from roomscribe_summarizer.settings import Settings

from .bench import Bench
from .model_server import ModelServer, serving

Running = AbstractAsyncContextManager[Service[Settings]]
Start = Callable[..., Running]


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    with serving() as model:
        yield model


@pytest.fixture
def summarizer(streams: str) -> Start:
    """Starts a replica: `async with summarizer():`."""

    def start(**settings: str | float) -> Running:
        return running_service("summarizer", Settings.model_validate({"nats_url": streams, **settings}), build)

    return start


@pytest.fixture
async def bench(streams: str) -> AsyncIterator[Bench]:
    nc = await nats.connect(streams, connect_timeout=5)  # pyright: ignore[reportUnknownMemberType]  # untyped in nats-py
    yield Bench(nc)
    await nc.close()
