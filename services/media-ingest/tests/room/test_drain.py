"""A node that is told to stop lets its meetings end, and hands over those that go on for too long."""

import os

import pytest
from roomscribe_common.contracts.agent import AgentLeft
from roomscribe_common.contracts.dispatch import DispatchJob
from roomscribe_common.contracts.stt import UtteranceOpened
from roomscribe_common.testing.empty_streams import provision_empty
from roomscribe_common.testing.fixtures import Livekit
from roomscribe_common.testing.providers import Servers

from .eventually import comes_true
from .node import Node
from .rooms import Rooms
from .speech import speech
from .test_crash import children, title

pytestmark = pytest.mark.asyncio(loop_scope="module")


def is_room(pid: int) -> bool:
    return title(pid).startswith("roomscribe: room")


async def waits_in_the_queue(node: Node, job: DispatchJob) -> None:
    """Nobody has the job: it lies in the work queue, given back."""

    async def waiting() -> bool:
        info = await node.bus.js.consumer_info("DISPATCH", "media-ingest-dispatch")
        return (info.num_pending or 0) + (info.num_ack_pending or 0) == 1

    await comes_true(waiting)
    assert not node.heard(AgentLeft, job.data.meeting_id)


async def test_a_draining_node_goes_on_listening_takes_no_more_and_ends_with_its_last_meeting(
    servers: Servers, nats_url: str, livekit: Livekit, rooms: Rooms
):
    await provision_empty(nats_url)
    async with Node.running(nats_url, servers["redis"].url, livekit, ROOMSCRIBE_INGEST_DRAIN_TIMEOUT_S="600") as node:
        ada = await rooms.enter("r-drain", "ada")
        track = await ada.unmute()
        job = await node.send(await node.job(rooms, "r-drain"))
        await ada.is_heard(track)
        await node.logged("joined", meeting=job.data.meeting_id)
        # A terminal and a supervisor signal the whole group: the rooms are not in it.
        assert not [pid for pid in children(node.pid) if is_room(pid) and os.getpgid(pid) == os.getpgid(node.pid)]
        node.tell_to_stop()
        await node.logged("draining", rooms=1)
        assert "draining" in await node.get("/readyz")
        another = await node.send(await node.job(rooms, "r-drain-next"))
        await ada.play(speech())
        await node.hears(UtteranceOpened, job.data.meeting_id)
        await waits_in_the_queue(node, another)
        await node.tell_to_leave(job)
        [left] = await node.hears(AgentLeft, job.data.meeting_id)
        assert left.data.reason == "requested"
        assert await node.ended() == 0


async def test_a_second_signal_hands_the_meetings_over_at_once(
    servers: Servers, nats_url: str, livekit: Livekit, rooms: Rooms
):
    await provision_empty(nats_url)
    async with Node.running(nats_url, servers["redis"].url, livekit, ROOMSCRIBE_INGEST_DRAIN_TIMEOUT_S="600") as node:
        ada = await rooms.enter("r-drain-two", "ada")
        job = await node.send(await node.job(rooms, "r-drain-two"))
        await ada.sees_agent()
        node.tell_to_stop()
        await node.logged("draining", rooms=1)
        assert ada.present_agents()
        node.tell_to_stop()
        [left] = await node.hears(AgentLeft, job.data.meeting_id)
        assert left.data.reason == "shutdown"
        assert await node.ended() == 0
        assert await node.leases.current(job.data.meeting_id) is None
