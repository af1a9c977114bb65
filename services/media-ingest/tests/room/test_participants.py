"""People who do what people do: many at once, two tracks, a mute in mid-sentence."""

import asyncio

import numpy as np
import pytest
from livekit import rtc
from roomscribe_common.contracts.agent import AgentLeft
from roomscribe_common.contracts.audio import ChunkHeaders
from roomscribe_common.contracts.meeting import ParticipantJoined, ParticipantLeft, ParticipantMuted
from roomscribe_common.contracts.stt import UtteranceOpened

from .crowd import crowd
from .eventually import eventually
from .node import Node
from .rooms import Rooms
from .speech import speech

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_fifty_people_who_come_at_once_and_go_at_once_are_each_told_once(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-crowd", "ada")
    job = await node.send(await node.job(rooms, "r-crowd"))
    await ada.sees_agent()
    names = [f"guest-{number}" for number in range(50)]
    async with crowd(rooms, "r-crowd", names):
        joined = await node.hears(ParticipantJoined, job.data.meeting_id, 51)
    left = await node.hears(ParticipantLeft, job.data.meeting_id, 50)
    assert sorted(event.data.participant.identity for event in joined) == sorted([*names, "ada"])
    assert sorted(event.data.participant.identity for event in left) == sorted(names)
    assert {event.data.participant_sid for event in left} < {event.data.participant_sid for event in joined}
    assert ada.present_agents()


async def test_a_microphone_and_a_screen_with_sound_are_two_tracks_of_one_person(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-two", "ada")
    microphone = await ada.unmute()
    spoken = ada.source
    screen = await ada.unmute(rtc.TrackSource.SOURCE_SCREENSHARE_AUDIO)
    job = await node.send(await node.job(rooms, "r-two"))
    await ada.is_heard(microphone)
    await ada.is_heard(screen)
    await ada.play(speech())
    shown, ada.source = ada.source, spoken
    assert shown is not spoken
    await ada.play(speech())
    opened = await node.hears(UtteranceOpened, job.data.meeting_id, 2)
    sources = {event.data.track.id: event.data.track.source for event in opened}
    assert sources == {microphone: "microphone", screen: "screen_share_audio"}
    assert {event.data.participant.identity for event in opened} == {"ada"}
    await node.tell_to_leave(job)
    await node.hears(AgentLeft, job.data.meeting_id)


async def test_a_mute_in_mid_sentence_ends_what_was_said_and_what_follows_the_unmute_is_another(
    node: Node, rooms: Rooms
):
    ada = await rooms.enter("r-mute", "ada")
    track = await ada.unmute()
    job = await node.send(await node.job(rooms, "r-mute"))
    meeting = job.data.meeting_id
    await ada.is_heard(track)
    talking = asyncio.create_task(ada.play(np.tile(speech(), 20)))
    [first] = await node.hears(UtteranceOpened, meeting)
    ada.mute(track, True)
    await node.hears(ParticipantMuted, meeting, 1)
    subject = f"audio.v1.chunk.acme.{meeting}.{track}.{first.data.utterance_id}"
    last = await eventually(lambda: next((m for m in node.subjects(subject) if is_last(m.headers)), None))
    assert len(node.heard(UtteranceOpened, meeting)) == 1
    ada.mute(track, False)
    await node.hears(ParticipantMuted, meeting, 2)
    opened = await node.hears(UtteranceOpened, meeting, 2)
    talking.cancel()
    end = ChunkHeaders.from_headers(last.headers)
    assert opened[1].data.start_ms >= first.data.start_ms + end.first_sample // 16


def is_last(headers: dict[str, str] | None) -> bool:
    return ChunkHeaders.from_headers(headers).last
