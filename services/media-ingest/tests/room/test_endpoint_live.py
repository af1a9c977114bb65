"""A worker's hint reaches the room process, which ends the utterance."""

import asyncio

import numpy as np
import pytest
from roomscribe_common.contracts.audio import ChunkHeaders
from roomscribe_common.contracts.stt import SttEndpoint, SttEndpointData, UtteranceOpened
from roomscribe_common.subjects import subject_of

from .node import TENANT, Node
from .rooms import Rooms
from .speech import RATE, silence, speech

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_pause_too_short_to_end_an_utterance_ends_it_when_the_words_do(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-endpoint", "ada")
    track = await ada.unmute()
    job = await node.send(await node.job(rooms, "r-endpoint"))
    await ada.is_heard(track)
    meeting = job.data.meeting_id
    # Seven times, for a busy machine may be late once: without a hint they are one utterance.
    phrases = np.tile(np.concatenate((speech()[RATE // 2 : 3 * RATE // 2], silence(0.45))), 7)
    talking = asyncio.create_task(ada.play(phrases))
    told: set[tuple[str, int]] = set()
    while not talking.done():
        for message in node.subjects(f"audio.v1.chunk.{TENANT}.{meeting}."):
            chunk = ChunkHeaders.from_headers(message.headers)
            place = (chunk.utterance_id, chunk.first_sample + len(message.data) // 2)
            if chunk.pause and place not in told:
                told.add(place)
                await _hint(node, meeting, track, *place)
        await asyncio.sleep(0.01)
    await talking
    assert told
    assert len(node.heard(UtteranceOpened, meeting)) >= 2


async def _hint(node: Node, meeting: str, track: str, utterance: str, up_to_sample: int) -> None:
    data = SttEndpointData(utterance_id=utterance, meeting_id=meeting, track_id=track, up_to_sample=up_to_sample)
    subject = subject_of(SttEndpoint, TENANT, meeting, track, utterance)
    hint = f"endpoint:{utterance}:{up_to_sample}"
    await node.bus.publish_core(SttEndpoint.new(id=hint, source="test", subject=subject, tenant=TENANT, data=data))
