"""A connection to LiveKit that comes back as it was: what was not heard meanwhile is a gap, and nothing else is."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import numpy as np
import pytest
import pytest_asyncio
from roomscribe_common import servers as local
from roomscribe_common.contracts.agent import AgentJoined, AgentLeft
from roomscribe_common.contracts.stt import SttGap, UtteranceOpened
from roomscribe_common.servers import LocalServer
from roomscribe_common.testing.empty_streams import provision_empty
from roomscribe_common.testing.fixtures import LIVEKIT_KEYS, Livekit
from roomscribe_common.testing.own import own_server
from roomscribe_common.testing.providers import Servers

from .eventually import eventually
from .node import Node
from .rooms import Person, Rooms
from .speech import silence, speech

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Wire:
    """The agent's signal connection, which can be cut; its sound goes another way."""

    def __init__(self, upstream: str) -> None:
        self._upstream = urlsplit(upstream)
        self._ends: set[asyncio.StreamWriter] = set()
        self.url = ""

    @asynccontextmanager
    async def laid(self) -> "AsyncGenerator[Wire]":
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            self.cut()

    def cut(self) -> None:
        for end in self._ends:
            end.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._upstream.hostname, self._upstream.port)
        self._ends |= {writer, far_writer}
        await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
        self._ends -= {writer, far_writer}


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A LiveKit of the module's own, to stop and let go on."""
    folder = tmp_path_factory.mktemp("resumed") / "livekit"
    with own_server(local.livekit(folder, LIVEKIT_KEYS)) as own:
        yield own


@pytest_asyncio.fixture(loop_scope="module")
async def rooms(livekit: Livekit, server: LocalServer) -> AsyncGenerator[Rooms]:
    async with Rooms.open(replace(livekit, url=server.url)) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def node(servers: Servers, nats_url: str, livekit: Livekit, server: LocalServer) -> AsyncGenerator[Node]:
    await provision_empty(nats_url)
    async with Node.running(nats_url, servers["redis"].url, replace(livekit, url=server.url)) as started:
        yield started


async def talk(person: Person) -> None:
    """One sentence after the other, for as long as the test takes."""
    while True:
        await person.play(np.concatenate((speech(), silence(1))))


@asynccontextmanager
async def attended(node: Node, rooms: Rooms, room: str) -> AsyncGenerator[tuple[Wire, str, datetime]]:
    """Ada talks, and the agent, whose signal goes over a wire that can be cut, hears her. Then it is told to leave."""
    ada = await rooms.enter(room, "ada")
    track = await ada.unmute()
    talking = asyncio.create_task(talk(ada))
    async with Wire(rooms.livekit.url).laid() as wire:
        job = await node.job(rooms, room)
        await node.send(job.model_copy(update={"data": job.data.model_copy(update={"livekit_url": wire.url})}))
        meeting = job.data.meeting_id
        await ada.is_heard(track)
        await node.hears(UtteranceOpened, meeting)
        yield wire, meeting, job.data.started_at
        assert not node.heard(AgentLeft, meeting)
        await node.tell_to_leave(job)
        await node.hears(AgentLeft, meeting)
    talking.cancel()


async def is_resumed(node: Node, meeting: str) -> None:
    await node.logged("livekit reconnected", meeting=meeting)
    heard = len(node.heard(UtteranceOpened, meeting))
    await eventually(lambda: len(node.heard(UtteranceOpened, meeting)) > heard)


async def test_what_was_said_while_the_connection_was_gone_is_one_gap_with_its_true_edges(
    node: Node, rooms: Rooms, server: LocalServer
):
    async with attended(node, rooms, "r-resumed") as (wire, meeting, started_at):
        os.kill(server.pid, signal.SIGSTOP)
        stopped_at = datetime.now(UTC)
        await asyncio.sleep(1.5)  # the outage itself, first in silence: nothing tells of it
        wire.cut()
        await asyncio.sleep(1.5)
        went_on_at = datetime.now(UTC)
        os.kill(server.pid, signal.SIGCONT)
        await is_resumed(node, meeting)
        gap, *_ = await node.hears(SttGap, meeting)
    more = node.heard(SttGap, meeting)[1:]
    log = [line["message"] for line in node.log]
    assert not more or len(node.heard(AgentJoined, meeting)) > 1, f"it came back as it was, so one gap: {log}"
    assert (gap.data.reason, gap.data.epoch, gap.data.track.id) == ("agent_lost", 1, "_")
    begins = started_at + timedelta(milliseconds=gap.data.start_ms)
    ends = started_at + timedelta(milliseconds=gap.data.end_ms)
    assert abs(begins - stopped_at) < timedelta(seconds=0.5)
    assert went_on_at - timedelta(seconds=0.1) < ends
    heard = [each.data for each in node.heard(UtteranceOpened, meeting)]
    spoken = [each.started_at + timedelta(milliseconds=each.pre_roll_ms) for each in heard]
    assert not [at for at in spoken if begins + timedelta(seconds=0.5) < at < ends - timedelta(seconds=0.5)]


async def test_a_signal_connection_that_was_lost_while_the_sound_came_on_is_no_gap(node: Node, rooms: Rooms):
    async with attended(node, rooms, "r-signal") as (wire, meeting, _):
        wire.cut()
        await is_resumed(node, meeting)
    assert node.heard(SttGap, meeting) == []
