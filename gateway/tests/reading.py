"""A strict reader of server-sent events."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass
class Sent:
    event: str
    data: dict[str, Any]
    id: str | None


@dataclass
class Reading:
    """An open stream. `seen` is all it sent; `last_id` what a browser would resume from."""

    lines: AsyncIterator[str]
    seen: list[Sent] = field(default_factory=list[Sent])
    comments: int = 0
    last_id: str | None = None

    @property
    def names(self) -> list[str]:
        return [sent.event for sent in self.seen]

    async def until(self, condition: Callable[["Reading"], bool], timeout_s: float = 15.0) -> "Reading":
        async with asyncio.timeout(timeout_s):
            while not condition(self):
                if await self._next() is None:
                    raise EOFError(f"the stream ended after {self.names}")
        return self

    async def to_end(self, timeout_s: float = 15.0) -> "Reading":
        async with asyncio.timeout(timeout_s):
            while await self._next() is not None:
                pass
        return self

    async def _next(self) -> str | None:
        block: dict[str, str] = {}
        async for line in self.lines:
            if line.startswith(":"):
                self.comments += 1
                return line
            if line:
                name, _, value = line.partition(": ")
                assert name in ("id", "event", "data", "retry"), line
                assert name not in block, line
                block[name] = value
            elif "data" in block:
                self.last_id = block.get("id", self.last_id)
                self.seen.append(Sent(block["event"], json.loads(block["data"]), block.get("id")))
                return block["event"]
            else:
                return "retry"
        return None


@asynccontextmanager
async def reading(
    client: httpx.AsyncClient, meeting: str = "m1", last_id: str | None = None, *, by_query: bool = False
) -> AsyncGenerator[Reading]:
    headers = {"Last-Event-ID": last_id} if last_id and not by_query else {}
    params = {"last_event_id": last_id} if last_id and by_query else {}
    path = f"/v1/meetings/{meeting}/events"
    async with client.stream("GET", path, headers=headers, params=params) as response:
        if response.status_code != 200:
            await response.aread()
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        yield Reading(response.aiter_lines())
