"""The stack a benchmark runs on: `roomscribe up` in a folder of its own, with what is needed to look at it."""

import asyncio
import os
import tempfile
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from livekit import api
from nats.aio.client import Client
from roomscribe_cli.client import Endpoint, Gateway
from roomscribe_cli.demo.stack import LivekitAccess, StackReady, running_stack
from roomscribe_cli.local.record import StateFolder
from roomscribe_cli.local.rooms import running_processes
from roomscribe_common import connection
from roomscribe_media_ingest.settings import IngestSettings

from benchmarks.report import CouldNotRun
from benchmarks.usage import pss_mb, tree

SERVERS = ("nats", "redis", "livekit")
EDGE = "gateway"
"""Not one of the six services."""
_WARM_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.05


@dataclass(frozen=True)
class Stack:
    """A running stack."""

    ready: StackReady
    livekit: LivekitAccess
    state: StateFolder
    gateway: Gateway
    nc: Client

    def processes(self) -> dict[str, int]:
        """Process ids by name, room processes as `room-<meeting id>`."""
        return running_processes(self.state)

    def services(self) -> dict[str, list[int]]:
        """Process ids of each service, by its name; those of media-ingest include its warm processes and its rooms."""
        services = {name: pid for name, pid in self.ready.processes.items() if name not in SERVERS}
        return {name: [process.pid for process in tree(pid)] for name, pid in services.items()}

    def pss_mb(self) -> dict[str, float]:
        """Memory of each service."""
        return {name: pss_mb(pids) for name, pids in self.services().items()}

    def token(self, room: str, identity: str, kind: api.AccessToken.ParticipantKind = "standard") -> str:
        """A LiveKit token for a room that needs no meeting."""
        grants = api.VideoGrants(room_join=True, room=room, can_update_own_metadata=True)
        token = api.AccessToken(self.livekit.api_key, self.livekit.api_secret).with_identity(identity)
        return token.with_kind(kind).with_grants(grants).to_jwt()

    def livekit_api(self) -> api.LiveKitAPI:
        """A client of LiveKit's own API."""
        return api.LiveKitAPI(self.livekit.url.replace("ws", "http", 1), self.livekit.api_key, self.livekit.api_secret)

    async def at_rest(self) -> None:
        """Returns once no meeting is attended and every room process that shall be warm is."""
        record = self.state.read()
        assert record is not None
        url = f"http://127.0.0.1:{record.ports['media-ingest-health']}/metrics"
        warm = IngestSettings().ingest_warm
        async with asyncio.timeout(_WARM_WITHIN_S), httpx.AsyncClient() as http:
            while True:
                lines = (await http.get(url)).text.splitlines()
                if gauge(lines, "roomscribe_ingest_rooms") == 0 and gauge(lines, "roomscribe_ingest_warm") >= warm:
                    return
                await asyncio.sleep(_LOOK_EVERY_S)


def gauge(lines: list[str], name: str) -> float:
    """The value of a metric without labels, or with any, in Prometheus' text format; raises `LookupError`."""
    for line in lines:
        if line.partition(" ")[0].partition("{")[0] == name:
            return float(line.rpartition(" ")[2])
    raise LookupError(f"there is no metric {name}")


@contextmanager
def _environment(settings: Mapping[str, str]) -> Generator[None]:
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@asynccontextmanager
async def own_stack(settings: Mapping[str, str] | None = None) -> AsyncGenerator[Stack]:
    """A stack of its own, at rest, its services with these further settings. Stopped when the block is left.

    Raises `CouldNotRun` where there is no LiveKit.
    """
    async with AsyncExitStack() as ends:
        folder = ends.enter_context(tempfile.TemporaryDirectory(prefix="roomscribe-bench-", ignore_cleanup_errors=True))
        state = Path(folder) / "state"
        with _environment(settings or {}):
            ready = await ends.enter_async_context(running_stack(state))
        if ready.livekit is None:
            raise CouldNotRun("there is no LiveKit server here; see `roomscribe doctor`")
        nc = await connection.connect(ready.nats, "benchmarks")
        ends.push_async_callback(connection.close, nc)
        gateway = await ends.enter_async_context(Gateway(Endpoint(ready.gateway, ready.api_key)))
        stack = Stack(ready, ready.livekit, StateFolder(state), gateway, nc)
        await stack.at_rest()
        yield stack
