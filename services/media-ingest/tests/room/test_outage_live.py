"""A node in a real room while NATS is killed and comes back: what was said meanwhile follows, at its times."""

import asyncio
import time

import numpy as np
import pytest
from roomscribe_common.contracts.agent import AgentJoined, AgentLeft
from roomscribe_common.contracts.audio import ChunkHeaders
from roomscribe_common.contracts.meeting import ParticipantJoined
from roomscribe_common.contracts.stt import UtteranceOpened
from roomscribe_common.stored import stored
from roomscribe_common.testing.empty_streams import provision_empty
from roomscribe_common.testing.fixtures import Livekit
from roomscribe_common.testing.providers import Servers

from .eventually import comes_true
from .node import Node
from .rooms import Person, Rooms
from .speech import silence, speech

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Bus:
    """What the server holds, whoever was connected when it came."""

    def __init__(self, node: Node, meeting: str) -> None:
        self._nc = node.bus.nc
        self._meeting = meeting

    async def utterances(self) -> list[UtteranceOpened]:
        subject = f"stt.v1.utterance.*.{self._meeting}.>"
        found = [UtteranceOpened.model_validate_json(m.data) async for m in stored(self._nc, "STT", subject)]
        return sorted(found, key=lambda event: event.data.start_ms)

    async def length_ms(self, item: UtteranceOpened) -> int:
        """Of the whole utterance; 0 while it is not there to its end."""
        subject = f"audio.v1.chunk.*.{self._meeting}.{item.data.track.id}.{item.data.utterance_id}"
        chunks = [(ChunkHeaders.from_headers(m.headers), len(m.data)) async for m in stored(self._nc, "AUDIO", subject)]
        assert [headers.seq for headers, _ in chunks] == list(range(len(chunks)))
        return sum(size for _, size in chunks) // 32 if chunks and chunks[-1][0].last else 0

    async def joins(self) -> list[str]:
        subject = f"meeting.v1.participant_joined.*.{self._meeting}"
        found = [ParticipantJoined.model_validate_json(m.data) async for m in stored(self._nc, "MEETINGS", subject)]
        return [event.data.participant.identity for event in found]

    async def goodbyes(self) -> list[AgentLeft]:
        subject = f"agent.v1.left.*.{self._meeting}"
        return [AgentLeft.model_validate_json(m.data) async for m in stored(self._nc, "MEETINGS", subject)]


async def says(person: Person, said_at: list[float]) -> None:
    said_at.append(time.time())
    await person.play(np.concatenate((speech(), silence(1.2))))


async def test_what_was_said_while_nats_was_away_follows_whole_at_its_times_and_the_node_goes_on(
    servers: Servers, livekit: Livekit, rooms: Rooms
):
    server = servers.start("nats")
    await provision_empty(server.url)
    said_at: list[float] = []
    quick = {"ROOMSCRIBE_INGEST_FLUSH_TIMEOUT_S": "0.5"}
    async with Node.running(server.url, servers["redis"].url, livekit, **quick) as node:
        ada = await rooms.enter("r-outage", "ada")
        track = await ada.unmute()
        job = await node.send(await node.job(rooms, "r-outage"))
        meeting = job.data.meeting_id
        await ada.is_heard(track)
        await says(ada, said_at)
        await node.hears(UtteranceOpened, meeting)
        server.kill()
        bob = await rooms.enter("r-outage", "bob")
        await bob.unmute()  # LiveKit announces at once who publishes something
        await says(ada, said_at)
        server.start()
        await asyncio.to_thread(server.wait_ready)
        await says(ada, said_at)
        bus = Bus(node, meeting)

        async def all_whole() -> bool:
            lengths = [await bus.length_ms(item) for item in await bus.utterances()]
            return 0 not in lengths and sum(lengths) >= 3 * 3_200

        await comes_true(all_whole)
        items = await bus.utterances()
        lengths = [await bus.length_ms(item) for item in items]
        ends = [item.data.start_ms + length for item, length in zip(items, lengths, strict=True)]
        assert all(end <= item.data.start_ms for end, item in zip(ends, items[1:], strict=False)), "nothing twice"
        begins = [item.data.started_at.timestamp() for item in items]
        for at in said_at:
            assert any(at - 0.5 < begin < at + 2.5 for begin in begins), (at, begins)
        assert (await bus.joins()).count("bob") == 1
        # The node has its work queue back.
        await comes_true(node.ready)
        await node.send(await node.job(rooms, "r-outage-next"))
        await node.hears(AgentJoined, count=2)
        # The meeting ends while the bus is away: the agent stays with what it has until it is back.
        server.kill()
        await says(ada, said_at)
        await rooms.delete("r-outage")
        await node.logged("leaving", reason="room_closed")
        await ada.play(silence(2))
        server.start()
        await asyncio.to_thread(server.wait_ready)

        async def left() -> bool:
            return bool(await bus.goodbyes())

        await comes_true(left)
        [goodbye] = await bus.goodbyes()
        assert goodbye.data.reason == "room_closed"
        assert goodbye.data.counters.dropped_ms == goodbye.data.counters.gaps == 0
        spoken = await bus.utterances()
        assert len(spoken) > len(items)
        assert goodbye.data.counters.utterances_opened == len(spoken)
        assert 0 not in [await bus.length_ms(item) for item in spoken]
    server.stop()
