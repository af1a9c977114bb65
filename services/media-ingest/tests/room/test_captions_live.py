import asyncio
from datetime import UTC, datetime

import pytest
from roomscribe_common.contracts.agent import AgentLeft
from roomscribe_common.contracts.base import Participant, SttModel, Track
from roomscribe_common.contracts.dispatch import DispatchJob
from roomscribe_common.contracts.stt import UtteranceOpened
from roomscribe_common.contracts.transcript import (
    Speaker,
    TranscriptFinal,
    TranscriptFinalData,
    TranscriptInterim,
    TranscriptInterimData,
)
from roomscribe_common.ids import new_id
from roomscribe_common.subjects import subject_of

from .eventually import eventually
from .node import TENANT, Node
from .rooms import Caption, Person, Rooms
from .speech import speech

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Transcript:
    """What attribution would say of one segment."""

    def __init__(self, node: Node, job: DispatchJob, segment: str, speaker: str) -> None:
        self._node = node
        self._job = job
        self._common = {
            "segment_id": segment,
            "revision": 1,
            "meeting_id": job.data.meeting_id,
            "room": job.data.room,
            "participant": Participant(identity=speaker, name=speaker),
            "speaker": Speaker(id=speaker, label=speaker, basis="track", confidence=1),
            "track": Track(id="TR_x", source="microphone"),
            "start_ms": 0,
            "end_ms": 900,
            "started_at": datetime.now(UTC),
            "language": "en",
            "confidence": 0.9,
            "stt": SttModel(provider="test", model="test"),
        }

    async def interim(self, text: str, version: int = 1) -> None:
        data = TranscriptInterimData.model_validate({**self._common, "text": text, "version": version})
        subject = subject_of(TranscriptInterim, TENANT, self._job.data.meeting_id)
        event = TranscriptInterim.new(id=new_id("evt"), source="test", subject=subject, tenant=TENANT, data=data)
        await self._node.bus.publish_core(event)

    async def final(self, text: str) -> None:
        data = TranscriptFinalData.model_validate({**self._common, "text": text, "sequence": 1})
        subject = subject_of(TranscriptFinal, TENANT, self._job.data.meeting_id)
        event = TranscriptFinal.new(id=new_id("evt"), source="test", subject=subject, tenant=TENANT, data=data)
        await self._node.bus.publish(event)


async def shown(person: Person, segment: str, final: bool) -> Caption:
    wanted = {"lk.segment_id": segment, "lk.transcription_final": "true" if final else "false"}
    return await eventually(lambda: next((c for c in person.captions if wanted.items() <= c.attributes.items()), None))


async def test_a_segment_is_shown_in_its_speakers_name_first_open_then_final(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-cap", "ada")
    await rooms.enter("r-cap", "bob")
    job = await node.send(await node.job(rooms, "r-cap"))
    await ada.sees_agent()
    await node.logged("joined", meeting=job.data.meeting_id)
    segment = Transcript(node, job, "utt_1", "bob")
    await segment.interim("We ship")
    first = await shown(ada, "utt_1", False)
    assert (first.sender, first.text) == ("bob", "We ship")
    assert first.attributes["lk.transcribed_track_id"] == "TR_x"
    await segment.final("We ship on Friday.")
    last = await shown(ada, "utt_1", True)
    assert (last.sender, last.text) == ("bob", "We ship on Friday.")


async def test_words_that_come_after_their_final_are_not_shown(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-late", "ada")
    job = await node.send(await node.job(rooms, "r-late"))
    await node.logged("joined", meeting=job.data.meeting_id)
    await Transcript(node, job, "utt_2", "ada").final("Done.")
    await shown(ada, "utt_2", True)
    await Transcript(node, job, "utt_2", "ada").interim("Do")
    await Transcript(node, job, "utt_3", "ada").interim("Next")
    await shown(ada, "utt_3", False)
    assert [c.text for c in ada.captions] == ["Done.", "Next"]


async def test_an_interim_without_words_withdraws_its_segment(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-with", "ada")
    job = await node.send(await node.job(rooms, "r-with"))
    await node.logged("joined", meeting=job.data.meeting_id)
    segment = Transcript(node, job, "utt_4", "ada")
    await segment.interim("You")
    await shown(ada, "utt_4", False)
    await segment.interim("", version=2)
    assert (await shown(ada, "utt_4", True)).text == ""


async def test_two_hundred_finals_at_once_are_all_shown(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-many", "ada")
    job = await node.send(await node.job(rooms, "r-many"))
    await node.logged("joined", meeting=job.data.meeting_id)
    for number in range(200):
        await Transcript(node, job, f"utt_m{number}", "ada").final(f"Sentence {number}.")
    await eventually(lambda: len(ada.captions) == 200)
    assert {c.text for c in ada.captions} == {f"Sentence {number}." for number in range(200)}


async def test_the_agent_stays_until_the_last_words_are_shown(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-last", "ada")
    track = await ada.unmute()
    job = await node.send(await node.job(rooms, "r-last"))
    await ada.is_heard(track)
    talking = asyncio.create_task(ada.play(speech()))
    [opened] = await node.hears(UtteranceOpened, job.data.meeting_id)
    utterance = opened.data.utterance_id
    await node.tell_to_leave(job)
    talking.cancel()
    audio = f"audio.v1.chunk.{TENANT}.{job.data.meeting_id}.{track}.{utterance}"
    await eventually(lambda: any((chunk.headers or {}).get("Rs-Last") for chunk in node.subjects(audio)))
    await asyncio.sleep(0.5)  # what speech to text and attribution take
    await Transcript(node, job, utterance, "ada").final("Until tomorrow.")
    assert (await shown(ada, utterance, True)).text == "Until tomorrow."
    await ada.sees_no_agent()
    [left] = await node.hears(AgentLeft, job.data.meeting_id)
    assert left.data.reason == "requested"


async def test_a_malformed_message_ends_no_captions(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-mal", "ada")
    job = await node.send(await node.job(rooms, "r-mal"))
    await node.logged("joined", meeting=job.data.meeting_id)
    await node.bus.nc.publish(subject_of(TranscriptInterim, TENANT, job.data.meeting_id), b"nonsense")
    await Transcript(node, job, "utt_5", "ada").final("Still here.")
    await shown(ada, "utt_5", True)
