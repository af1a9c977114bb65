import pytest
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.meeting import (
    ParticipantJoined,
    ParticipantLeft,
    ParticipantMuted,
    ParticipantRenamed,
)
from roomscribe_common.contracts.stt import UtteranceOpened

from .node import Node
from .rooms import Rooms
from .speech import silence, speech

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_what_happens_in_the_room_is_told_in_order(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-order", "ada", "Ada")
    track = await ada.unmute()
    job = await node.send(await node.job(rooms, "r-order"))
    meeting = job.data.meeting_id
    await ada.is_heard(track)
    ada.mute(track, True)
    await node.hears(ParticipantMuted, meeting, 1)
    ada.mute(track, False)
    await node.hears(ParticipantMuted, meeting, 2)
    await ada.room.local_participant.set_name("Ada L.")
    await node.hears(ParticipantRenamed, meeting)
    await ada.leave()
    await node.hears(ParticipantLeft, meeting)
    told: list[AnyEvent] = []
    for msg in node.subjects("meeting.v1."):
        for event in (ParticipantJoined, ParticipantMuted, ParticipantRenamed, ParticipantLeft):
            if msg.subject == f"{event.TYPE}.acme.{meeting}":
                told.append(event.model_validate_json(msg.data))
    joined, muted, unmuted, renamed, left = told
    assert isinstance(joined, ParticipantJoined)
    assert joined.data.kind == "standard"
    assert joined.data.joined_at <= joined.data.at
    assert isinstance(muted, ParticipantMuted)
    assert (muted.data.track.id, muted.data.track.source, muted.data.muted) == (track, "microphone", True)
    assert isinstance(unmuted, ParticipantMuted)
    assert not unmuted.data.muted
    assert isinstance(renamed, ParticipantRenamed)
    assert (renamed.data.previous_name, renamed.data.participant.name) == ("Ada", "Ada L.")
    assert isinstance(left, ParticipantLeft)
    assert left.data.participant_sid == joined.data.participant_sid
    assert left.data.participant.name == "Ada L."


async def test_somebody_who_is_renamed_speaks_under_the_new_name(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-name", "ada", "Ada")
    track = await ada.unmute()
    job = await node.send(await node.job(rooms, "r-name"))
    await ada.is_heard(track)
    await ada.room.local_participant.set_name("Countess")
    await node.hears(ParticipantRenamed, job.data.meeting_id)
    await ada.play(speech())
    [opened] = await node.hears(UtteranceOpened, job.data.meeting_id)
    assert opened.data.participant.name == "Countess"


async def test_a_track_published_again_is_heard_again(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-again", "ada")
    job = await node.send(await node.job(rooms, "r-again"))
    for count in (1, 2):
        track = await ada.unmute()
        await ada.is_heard(track)
        await ada.play(speech())
        opened = await node.hears(UtteranceOpened, job.data.meeting_id, count)
        assert opened[-1].data.track.id == track
        await ada.unpublish(track)
    assert len({event.data.track.id for event in opened}) == 2


async def test_the_same_identity_under_a_new_connection_leaves_and_joins(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-same", "ada")
    job = await node.send(await node.job(rooms, "r-same"))
    await ada.sees_agent()
    again = await rooms.enter("r-same", "ada")
    joined = await node.hears(ParticipantJoined, job.data.meeting_id, 2)
    [left] = await node.hears(ParticipantLeft, job.data.meeting_id)
    assert left.data.participant_sid == joined[0].data.participant_sid != joined[1].data.participant_sid
    track = await again.unmute()
    await again.is_heard(track)
    await again.play(speech())
    [opened] = await node.hears(UtteranceOpened, job.data.meeting_id)
    assert opened.data.track.id == track


async def test_a_track_whose_source_is_replaced_under_its_id_is_heard_on(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-replaced", "ada")
    track = await ada.unmute()
    job = await node.send(await node.job(rooms, "r-replaced"))
    await ada.is_heard(track)
    await ada.play(speech())
    await node.hears(UtteranceOpened, job.data.meeting_id)
    for allowed in (False, True):
        ada.allow_listening(allowed)
        await ada.play(silence(1))
    await ada.play(speech())
    opened = await node.hears(UtteranceOpened, job.data.meeting_id, 2)
    assert {event.data.track.id for event in opened} == {track}
