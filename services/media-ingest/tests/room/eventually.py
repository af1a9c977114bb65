"""Waiting for a condition instead of for time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
WITHIN_S = 45.0
"""Generous: a loaded machine is slow, and what never happens is found all the same."""


async def eventually(found: Callable[[], T | None]) -> T:
    """The first truthy result."""
    deadline = time.monotonic() + WITHIN_S
    while not (result := found()):
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)
    return result


async def comes_true(check: Callable[[], Awaitable[bool]]) -> None:
    """The same, where one has to ask somebody."""
    deadline = time.monotonic() + WITHIN_S
    while not await check():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)
