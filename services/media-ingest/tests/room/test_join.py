import time

import pytest
from livekit import rtc
from roomscribe_common.contracts.agent import AgentJoined
from roomscribe_common.contracts.dead import DeadLetter
from roomscribe_common.contracts.meeting import ParticipantJoined

from .node import Node
from .rooms import Rooms

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_person_in_the_room_sees_the_agent_at_once(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-seen", "ada")
    job = await node.job(rooms, "r-seen")
    began = time.monotonic()
    await node.send(job)
    assert await ada.sees_agent() == job.data.identity
    seen_s = min(ada.agents.values()) - began
    assert seen_s < 1.5, "LiveKit's own announcement comes only every 3 s"
    [joined] = await node.hears(AgentJoined, job.data.meeting_id)
    assert joined.data.epoch == job.data.epoch


async def test_only_audio_is_subscribed_and_never_another_agent(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-audio", "ada")
    microphone = await ada.unmute()
    camera = await ada.show_video()
    screen = await ada.unmute(rtc.TrackSource.SOURCE_SCREENSHARE_AUDIO)
    robot = await rooms.enter("r-audio", "robot", agent=True)
    voice = await robot.unmute()
    job = await node.send(await node.job(rooms, "r-audio"))
    await ada.sees(job.data.identity)
    await ada.is_heard(microphone)
    await ada.is_heard(screen)
    # One who comes later is heard as well, by which time the others would have been.
    eve = await rooms.enter("r-audio", "eve")
    await eve.is_heard(await eve.unmute())
    assert not ada.heard(camera)
    assert not robot.heard(voice)


async def test_the_agent_joins_before_anybody_else(node: Node, rooms: Rooms):
    job = await node.send(await node.job(rooms, "r-early"))
    await node.hears(AgentJoined, job.data.meeting_id)
    ada = await rooms.enter("r-early", "ada")
    await ada.sees(job.data.identity)
    [joined] = await node.hears(ParticipantJoined, job.data.meeting_id)
    assert joined.data.participant.identity == "ada"
    await ada.is_heard(await ada.unmute())


async def test_a_token_that_is_refused_is_tried_again_and_then_dead_lettered_with_the_reason(node: Node, rooms: Rooms):
    forged = rooms.token("r-bad", "x", "x", agent=True, secret="another-secret-of-at-least-32-characters")
    job = await node.send(await node.job(rooms, "r-bad", token=forged))
    [letter] = await node.hears(DeadLetter, job.data.meeting_id)
    assert letter.data.original_subject == job.subject
    assert letter.data.deliveries == 3
    assert "the agent did not join in 3 attempts" in letter.data.reason
    assert "401" in letter.data.reason
    assert forged not in str(node.log)
    assert forged not in letter.data.reason
    assert "roomscribe_ingest_joins_failed_total 3.0" in await node.get("/metrics")
    # The node goes on.
    ada = await rooms.enter("r-good", "ada")
    await node.send(await node.job(rooms, "r-good"))
    await ada.sees_agent()


async def test_a_job_of_an_earlier_epoch_is_dropped_before_it_disturbs_the_room(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-stale", "ada")
    old = await node.job(rooms, "r-stale", meeting="mtg_stale")
    new = await node.job(rooms, "r-stale", meeting="mtg_stale")
    await node.send(new)
    await ada.sees_agent()
    await node.send(old)
    await node.logged("job dropped, a later epoch has the meeting", epoch=1)
    assert [e.data.epoch for e in node.heard(AgentJoined, "mtg_stale")] == [2]
    assert len(ada.agents) == 1


async def test_a_malformed_job_is_dead_lettered_and_the_node_goes_on(node: Node, rooms: Rooms):
    await node.bus.publish_bytes("dispatch.v1.job.acme.mtg_x", b"{}", {"Nats-Msg-Id": "bad"})
    [letter] = await node.hears(DeadLetter, "mtg_x")
    assert "malformed dispatch.v1.job" in letter.data.reason
    ada = await rooms.enter("r-after", "ada")
    await node.send(await node.job(rooms, "r-after"))
    await ada.sees_agent()


async def test_a_job_delivered_again_to_its_node_disturbs_nothing(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-twice", "ada")
    job = await node.send(await node.job(rooms, "r-twice"))
    await ada.sees_agent()
    await node.bus.publish_bytes(job.subject, job.to_bytes(), {"Nats-Msg-Id": "again"})
    other = await node.send(await node.job(rooms, "r-other"))
    await node.hears(AgentJoined, other.data.meeting_id)
    await node.work_queue_is_empty()
    assert len(node.heard(AgentJoined, job.data.meeting_id)) == 1
    assert len(ada.agents) == 1
