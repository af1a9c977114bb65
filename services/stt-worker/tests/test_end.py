"""Who ends an utterance whose last chunk does not come: the worker, unless the speaker has just gone on."""

import asyncio

import nats.errors
import pytest
from nats.aio.msg import Msg
from opentelemetry.metrics import NoOpMeter
from roomscribe_common.bus import EXPECTED_LAST_SUBJECT_SEQUENCE, MSG_ID
from roomscribe_common.contracts.audio import ChunkHeaders
from roomscribe_common.contracts.base import SttModel
from roomscribe_common.contracts.stt import Utterance
from roomscribe_common.subjects import audio_subject
from roomscribe_stt_worker.adapters.audio_reader import AudioReader
from roomscribe_stt_worker.adapters.decode_pool import DecodePool
from roomscribe_stt_worker.domain.events import Hearing
from roomscribe_stt_worker.engines.moonshine import Moonshine
from roomscribe_stt_worker.metrics import Metrics
from roomscribe_stt_worker.progress import Progress
from roomscribe_stt_worker.session import Outcome, Patience, Session

from .conftest import Chunk, Room, Spoken, chunks, utterance, words

TENANT = "acme"


class Interrupted(AudioReader):
    """Real audio, to which the speaker adds the rest just before the worker would end it."""

    room: Room
    rest: tuple[Chunk, ...] = ()
    said: Utterance

    async def end(self, newest: Msg, last: ChunkHeaders) -> bool:
        rest, self.rest = self.rest, ()
        await self.room.send(self.said, *rest)
        return await super().end(newest, last)


async def never() -> bool:
    return False


async def hear(room: Room, moonshine: Moonshine, source: AudioReader, said: Hearing) -> Outcome:
    pool = DecodePool(moonshine, 1, Metrics(NoOpMeter("test"), moonshine.provider))
    try:
        async with source:
            return await Session(said, source, pool, None, Progress(), Patience(-60.0, never)).run()
    finally:
        pool.close()


async def test_a_speaker_who_goes_on_in_the_last_moment_is_heard_out(
    room: Room, moonshine: Moonshine, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    sent = chunks(said, spoken["question"])
    subject = audio_subject(TENANT, said.meeting_id, said.track.id, said.utterance_id)
    source = Interrupted(room.nc, room.js, subject)
    source.room, source.said, source.rest = room, said, tuple(sent[5:])
    await room.send(said, *sent[:5])
    hearing = Hearing(said, TENANT, 1, "test", SttModel(provider="test", model="test"))
    outcome = await hear(room, moonshine, source, hearing)
    assert outcome.final is not None
    assert not outcome.final.data.truncated
    assert words(outcome.final.data.text) == spoken["question"].words


async def test_what_a_worker_has_ended_takes_no_more_audio_and_stays_truncated_for_the_next_worker(
    room: Room, moonshine: Moonshine, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    sent = chunks(said, spoken["question"])
    subject = audio_subject(TENANT, said.meeting_id, said.track.id, said.utterance_id)
    hearing = Hearing(said, TENANT, 1, "test", SttModel(provider="test", model="test"))
    await room.send(said, *sent[:-3])
    before = await room.js.get_last_msg("AUDIO", subject)
    first = await hear(room, moonshine, AudioReader(room.nc, room.js, subject), hearing)
    late = sent[-3].headers.to_headers() | {MSG_ID: "late", EXPECTED_LAST_SUBJECT_SEQUENCE: str(before.seq)}
    with pytest.raises(nats.errors.Error, match="wrong last sequence"):
        await room.js.publish(subject, sent[-3].pcm, headers=late)
    # As if the first had died before its final was stored.
    second = await hear(room, moonshine, AudioReader(room.nc, room.js, subject), hearing)
    assert first.final is not None
    assert second.final is not None
    assert first.final.data.truncated
    assert second.final.data.truncated
    assert words(first.final.data.text) == words(second.final.data.text) == spoken["question"].words


class Purged(AudioReader):
    """Audio that another worker has heard out and purged before this one, which stood still, would end it."""

    async def end(self, newest: Msg, last: ChunkHeaders) -> bool:
        await self._js.purge_stream("AUDIO", subject=self._subject)
        return await super().end(newest, last)


async def test_a_worker_that_comes_back_to_purged_audio_lets_go_of_it(
    room: Room, moonshine: Moonshine, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    subject = audio_subject(TENANT, said.meeting_id, said.track.id, said.utterance_id)
    await room.send(said, *chunks(said, spoken["question"])[:5])
    hearing = Hearing(said, TENANT, 1, "test", SttModel(provider="test", model="test"))
    async with asyncio.timeout(30):
        outcome = await hear(room, moonshine, Purged(room.nc, room.js, subject), hearing)
    assert outcome.final is not None
    assert outcome.final.data.truncated
