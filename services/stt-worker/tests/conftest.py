"""Speech with its words, the embedded engine, and a room process's side of the bus on a real NATS."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import nats
import numpy as np
import pytest
import soundfile  # pyright: ignore[reportMissingTypeStubs]  # ships none
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from numpy.typing import NDArray
from roomscribe_common.contracts.audio import ChunkHeaders
from roomscribe_common.contracts.base import AnyEvent, Participant, Track
from roomscribe_common.contracts.dead import DeadLetter
from roomscribe_common.contracts.stt import SttFinal, SttGap, SttInterim, Utterance, UtteranceOpened
from roomscribe_common.ids import new_id
from roomscribe_common.service import Service
from roomscribe_common.stored import stored
from roomscribe_common.subjects import audio_subject, subject_of, wildcard
from roomscribe_common.testing.service import running_service
from roomscribe_common.testing.until import until
from roomscribe_stt_worker.app import build_with
from roomscribe_stt_worker.engines.moonshine import Moonshine
from roomscribe_stt_worker.engines.protocol import Engine
from roomscribe_stt_worker.settings import SttSettings

TENANT = "acme"
CHUNK = 1600

AUDIO = Path(__file__).parent / "audio"


def words(text: str) -> list[str]:
    """Lower case, without punctuation."""
    return re.findall(r"[a-z0-9']+", text.lower())


@dataclass(frozen=True)
class Spoken:
    """A clip and what is said in it."""

    samples: NDArray[np.float32]
    text: str

    @property
    def words(self) -> list[str]:
        return words(self.text)

    @property
    def pcm(self) -> bytes:
        return (self.samples * 32767).astype("<i2").tobytes()


def load(name: str) -> Spoken:
    samples, rate = cast(
        tuple[NDArray[np.float32], int],
        soundfile.read(AUDIO / f"{name}.flac", dtype="float32"),  # pyright: ignore[reportUnknownMemberType]  # untyped
    )
    assert rate == 16_000
    return Spoken(samples, (AUDIO / f"{name}.txt").read_text().strip())


@pytest.fixture(scope="session")
def spoken() -> dict[str, Spoken]:
    return {name: load(name) for name in ("roadmap", "budget", "question", "answer")}


@pytest.fixture(scope="session")
def moonshine() -> Iterator[Moonshine]:
    engine = Moonshine()
    yield engine
    engine.close()


def utterance(meeting: str = "mtg_1") -> Utterance:
    return Utterance(
        utterance_id=new_id("utt"),
        meeting_id=meeting,
        room="planning",
        epoch=1,
        participant=Participant(identity="ada", name="Ada Lindqvist"),
        track=Track(id="TR_ada", source="microphone"),
        started_at=datetime(2026, 11, 2, 9, 0, tzinfo=UTC),
        start_ms=60_000,
    )


@dataclass(frozen=True)
class Chunk:
    """One piece of an utterance as the room process sends it."""

    headers: ChunkHeaders
    pcm: bytes


def chunks(of: Utterance, spoken: Spoken, silence_s: float = 0.4) -> list[Chunk]:
    """The clip in pieces of 100 ms, the silence that was waited for behind it, marked as a pause where it began."""
    silence = bytes(2 * int(silence_s * 16_000))
    pcm, end = spoken.pcm + silence, len(spoken.samples)
    cut: list[Chunk] = []
    for seq, start in enumerate(range(0, len(pcm) // 2, CHUNK)):
        stop = min(start + CHUNK, len(pcm) // 2)
        last = stop == len(pcm) // 2
        headers = ChunkHeaders(
            of.utterance_id,
            seq,
            start,
            pause=start > end and not last,
            last=last,
            speech_end_sample=end if last else None,
            sent_at_ms=time.time_ns() // 1_000_000,
        )
        cut.append(Chunk(headers, pcm[2 * start : 2 * stop]))
    return cut


class Room:
    """The room process's side, and ears for what the worker says; `interims` holds what came over core NATS."""

    def __init__(self, nc: Client) -> None:
        self.nc = nc
        self.js = JetStreamContext(nc)
        self.interims: list[tuple[float, SttInterim]] = []

    async def listen(self) -> None:
        async def hear(msg: Msg) -> None:
            self.interims.append((time.monotonic(), SttInterim.model_validate_json(msg.data)))

        await self.nc.subscribe(wildcard(SttInterim), cb=hear)  # pyright: ignore[reportUnknownMemberType]  # untyped in nats-py
        await self.nc.flush()

    async def open(self, spoken: Utterance) -> None:
        event = UtteranceOpened.new(
            id=f"utterance:{spoken.utterance_id}",
            source="media-ingest",
            subject=self.subject(UtteranceOpened, spoken),
            tenant=TENANT,
            data=spoken,
        )
        await self.js.publish(event.subject, event.to_bytes(), headers={"Nats-Msg-Id": event.id})

    async def send(self, spoken: Utterance, *pieces: Chunk, every_s: float = 0.0) -> None:
        """Publishes chunks, at the pace of speech if asked to."""
        subject = audio_subject(TENANT, spoken.meeting_id, spoken.track.id, spoken.utterance_id)
        due = time.monotonic()
        for piece in pieces:
            await self.js.publish(subject, piece.pcm, headers=piece.headers.to_headers())
            due += every_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def say(self, spoken: Utterance, speech: Spoken, every_s: float = 0.0) -> None:
        await self.open(spoken)
        await self.send(spoken, *chunks(spoken, speech), every_s=every_s)

    @staticmethod
    def subject(event: type[AnyEvent], spoken: Utterance) -> str:
        return subject_of(event, TENANT, spoken.meeting_id, spoken.track.id, spoken.utterance_id)

    async def finals(self, spoken: Utterance) -> list[SttFinal]:
        subject = self.subject(SttFinal, spoken)
        return [SttFinal.model_validate_json(m.data) async for m in stored(self.nc, "STT_RESULTS", subject)]

    async def gaps(self, spoken: Utterance) -> list[SttGap]:
        subject = self.subject(SttGap, spoken)
        return [SttGap.model_validate_json(m.data) async for m in stored(self.nc, "STT_RESULTS", subject)]

    async def dead_letters(self) -> list[DeadLetter]:
        letters = stored(self.nc, "DEAD_LETTERS", wildcard(DeadLetter))
        return [DeadLetter.model_validate_json(m.data) async for m in letters]

    async def waiting(self) -> int:
        """Items in the work queue, claimed or not."""
        return (await self.js.stream_info("STT")).state.messages

    async def audio_left(self) -> int:
        return (await self.js.stream_info("AUDIO")).state.messages

    async def audio_readers(self) -> int:
        return (await self.js.stream_info("AUDIO")).state.consumer_count

    async def until(self, reached: Callable[[], Awaitable[bool]], timeout_s: float = 30.0) -> None:
        await until(reached, timeout_s)

    async def until_done(self, timeout_s: float = 30.0) -> None:
        """Every item is settled, and its audio is gone."""

        async def done() -> bool:
            return await self.waiting() == 0

        await self.until(done, timeout_s)

    async def until_interims(self, count: int, timeout_s: float = 30.0) -> None:
        async def heard() -> bool:
            return len(self.interims) >= count

        await self.until(heard, timeout_s)

    async def final(self, spoken: Utterance, timeout_s: float = 30.0) -> SttFinal:
        """The one final of the utterance, once its item is settled."""
        await self.until_done(timeout_s)
        [found] = await self.finals(spoken)
        return found


@pytest.fixture
async def room(streams: str) -> AsyncIterator[Room]:
    nc = await nats.connect(streams, connect_timeout=5)  # pyright: ignore[reportUnknownMemberType]  # untyped in nats-py
    room = Room(nc)
    await room.listen()
    yield room
    await nc.close()


Running = AbstractAsyncContextManager[Service[SttSettings]]
Start = Callable[..., Running]


@pytest.fixture
def worker(streams: str, moonshine: Moonshine) -> Start:
    """Starts a replica: `async with worker():`, with another engine or other settings if given."""

    def start(engine: Engine = moonshine, instance: str = "one", **settings: object) -> Running:
        built = SttSettings.model_validate({"nats_url": streams, "instance": instance, **settings})

        async def build(service: Service[SttSettings]) -> None:
            await build_with(service, engine)

        return running_service("stt-worker", built, build)

    return start
