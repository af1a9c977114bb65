import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from roomscribe_common.contracts.agent import AgentHeartbeat, AgentJoined, AgentLeft
from roomscribe_common.contracts.commands import Done, LeaveRoom
from roomscribe_common.contracts.meeting import ParticipantJoined, ParticipantLeft
from roomscribe_common.contracts.stt import UtteranceOpened
from roomscribe_common.errors import ProblemError
from roomscribe_common.subjects import leave_room

from .eventually import comes_true, eventually
from .node import TENANT, Node
from .rooms import Rooms
from .speech import speech

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_leave_command_ends_the_stay_with_a_final_heartbeat_before_the_goodbye(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-leave", "ada")
    job = await node.send(await node.job(rooms, "r-leave"))
    await ada.sees_agent()
    await node.tell_to_leave(job)
    [left] = await node.hears(AgentLeft, job.data.meeting_id)
    beat = node.heard(AgentHeartbeat, job.data.meeting_id)[-1]
    assert left.data.reason == "requested"
    assert beat.data.final
    assert beat.data.participant_sid == left.data.participant_sid
    assert beat.data.uptime_ms <= left.data.uptime_ms
    assert beat.data.humans == 1
    await ada.sees_no_agent()
    await node.logged("left", meeting=job.data.meeting_id, reason="requested")

    async def released() -> bool:
        return await node.leases.current(job.data.meeting_id) is None

    await comes_true(released)


async def test_a_leave_command_for_an_earlier_epoch_is_refused(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-old", "ada")
    await node.job(rooms, "r-old", meeting="mtg_old")
    await node.send(await node.job(rooms, "r-old", meeting="mtg_old"))
    await ada.sees_agent()
    with pytest.raises(ProblemError, match="epoch 2 is in the room"):
        await node.bus.request(leave_room(TENANT, "mtg_old"), LeaveRoom(epoch=1, reason="requested"), Done)
    assert ada.present_agents()


async def test_what_somebody_is_saying_when_the_agent_must_leave_reaches_the_bus(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-words", "ada")
    track = await ada.unmute()
    job = await node.send(await node.job(rooms, "r-words"))
    await ada.is_heard(track)
    talking = asyncio.create_task(ada.play(speech()))
    [opened] = await node.hears(UtteranceOpened, job.data.meeting_id)
    await node.tell_to_leave(job)
    [left] = await node.hears(AgentLeft, job.data.meeting_id)
    talking.cancel()
    chunks = node.subjects(f"audio.v1.chunk.{TENANT}.{job.data.meeting_id}.{track}.{opened.data.utterance_id}")
    assert (chunks[-1].headers or {})["Rs-Last"] == "1"
    assert opened.data.participant.identity == "ada"
    assert left.data.counters.utterances_opened == left.data.counters.utterances_closed == 1
    assert left.data.counters.chunks == len(chunks)


async def test_the_agent_leaves_when_the_last_human_has_been_gone_for_long_enough(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-empty", "ada")
    robot = await rooms.enter("r-empty", "robot", agent=True)
    job = await node.send(await node.job(rooms, "r-empty", empty_room_timeout_s=0.5))
    await robot.sees(job.data.identity)
    await ada.leave()
    [left] = await node.hears(AgentLeft, job.data.meeting_id)
    assert left.data.reason == "empty_room"


async def test_the_agent_stays_for_whoever_comes_back_in_time(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-back", "ada")
    # Before anybody is known to be there the first human has five minutes.
    job = await node.send(await node.job(rooms, "r-back", empty_room_timeout_s=2))
    await node.hears(ParticipantJoined, job.data.meeting_id)
    await ada.leave()
    [left] = await node.hears(ParticipantLeft, job.data.meeting_id)
    again = await rooms.enter("r-back", "ada")
    # LiveKit announces at once only who publishes something.
    await again.is_heard(await again.unmute())
    await eventually(lambda: datetime.now(UTC) > left.data.at + timedelta(seconds=3))
    assert again.present_agents()
    assert not node.heard(AgentLeft, job.data.meeting_id)


async def test_a_room_that_is_deleted_ends_the_stay(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-deleted", "ada")
    job = await node.send(await node.job(rooms, "r-deleted"))
    await ada.sees_agent()
    await rooms.delete("r-deleted")
    [left] = await node.hears(AgentLeft, job.data.meeting_id)
    assert left.data.reason == "room_closed"


async def test_a_higher_epoch_in_the_lease_makes_the_agent_leave_without_a_word(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-fenced", "ada")
    job = await node.send(await node.job(rooms, "r-fenced"))
    await ada.sees_agent()
    await node.leases.next_epoch(job.data.meeting_id)
    await node.logged("left", meeting=job.data.meeting_id, reason="superseded")
    await ada.sees_no_agent()
    assert node.heard(AgentHeartbeat, job.data.meeting_id)[-1].data.final
    assert not node.heard(AgentLeft, job.data.meeting_id)


async def test_the_next_epochs_agent_takes_the_place_of_the_one_before(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-next", "ada")
    first = await node.send(await node.job(rooms, "r-next"))
    await ada.sees_agent()
    second = await node.send(await node.job(rooms, "r-next", meeting=first.data.meeting_id))
    await node.logged("left", meeting=first.data.meeting_id, reason="superseded")
    await node.hears(AgentJoined, first.data.meeting_id, 2)
    assert await node.leases.current(first.data.meeting_id) == second.data.epoch
    assert not node.heard(AgentLeft, first.data.meeting_id)
    await node.tell_to_leave(second)
    [left] = await node.hears(AgentLeft, second.data.meeting_id)
    assert left.data.epoch == 2
