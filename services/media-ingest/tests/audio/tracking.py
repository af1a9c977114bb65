"""A track under test: somebody who speaks into it, and what of that is on a real bus."""

import asyncio
import wave
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from nats.js import JetStreamContext
from nats.js.api import PubAck
from numpy.typing import NDArray
from roomscribe_common import connection
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.audio import ChunkHeaders
from roomscribe_common.contracts.base import AnyEvent, Participant, Track
from roomscribe_common.contracts.stt import SttGap, UtteranceOpened
from roomscribe_common.errors import Retryable
from roomscribe_common.stored import Stored, stored
from roomscribe_common.testing.until import until
from roomscribe_media_ingest.adapters.audio_out import AudioBus
from roomscribe_media_ingest.adapters.track_audio import TrackAudio
from roomscribe_media_ingest.domain.config import WINDOW, AudioConfig
from roomscribe_media_ingest.domain.segmenter import Pcm
from roomscribe_media_ingest.domain.utterance import TrackMeta

CLIPS = Path(__file__).parent / "clips"
STEP = 1_536
CONFIG = AudioConfig(max_ms=4_000, split_search_ms=1_000, buffer_bytes=12 * 32_000)
META = TrackMeta(
    tenant="local",
    meeting_id="mtg_audio",
    room="kitchen",
    epoch=3,
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    participant=Participant(identity="ann", name="Ann"),
    track=Track(id="TR_1", source="microphone"),
    language="en",
    keyterms=("Roomscribe",),
)


def speech() -> Pcm:
    """Four seconds of somebody who speaks."""
    with wave.open(str(CLIPS / "sentence.wav")) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


class LoudIsSpeech:
    """A voice model that takes every loud window for speech."""

    def reset(self) -> None:
        pass

    def probabilities(self, samples: NDArray[np.float32]) -> list[float]:
        return [0.9 if np.abs(window).max() > 0.01 else 0.05 for window in samples.reshape(-1, WINDOW)]


class HandClock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.at_ms = 0.0

    def now_ms(self) -> float:
        return self.at_ms

    def unix_ms(self, meeting_ms: float) -> int:
        return round(meeting_ms)


class Speaker:
    """Feeds a track as a person would, in frames of 96 ms, and remembers each sample."""

    def __init__(self, track: TrackAudio, clock: HandClock) -> None:
        self._track, self._clock = track, clock
        self._noise = np.random.default_rng(7)
        self._frames: list[Pcm] = []

    @property
    def said(self) -> Pcm:
        return np.concatenate(self._frames)

    def _feed(self, pcm: Pcm) -> None:
        self._clock.at_ms += len(pcm) / 16
        self._frames.append(pcm)
        self._track.feed(pcm)

    def speak(self, steps: int) -> None:
        for _ in range(steps):
            self._feed(self._noise.integers(1_000, 8_000, STEP).astype(np.int16))

    def hush(self, steps: int) -> None:
        for _ in range(steps):
            self._feed(np.zeros(STEP, np.int16))

    def sentence(self, steps: int = 10) -> None:
        self.speak(steps)
        self.hush(10)


class Deaf:
    """A bus that never takes anything."""

    @property
    def js(self) -> JetStreamContext:
        raise AssertionError("a bus that refuses no sequence is not read")

    async def publish(self, event: AnyEvent, /) -> object:
        raise Retryable("deaf")

    async def publish_bytes(self, subject: str, payload: bytes, headers: dict[str, str], /) -> PubAck:
        raise Retryable("deaf")


class Moody:
    """A bus in front of the real one that refuses each message once."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.js = bus.js
        self._asked: set[str] = set()

    def _refuse_first(self, message_id: str) -> None:
        if message_id not in self._asked:
            self._asked.add(message_id)
            raise Retryable("not now")

    async def publish(self, event: AnyEvent, /) -> object:
        self._refuse_first(event.id)
        return await self._bus.publish(event)

    async def publish_bytes(self, subject: str, payload: bytes, headers: dict[str, str], /) -> PubAck:
        self._refuse_first(headers["Nats-Msg-Id"])
        return await self._bus.publish_bytes(subject, payload, headers)


class Gate:
    """A bus in front of the real one that can be held shut."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.js = bus.js
        self.open = asyncio.Event()

    async def publish(self, event: AnyEvent, /) -> object:
        await self.open.wait()
        return await self._bus.publish(event)

    async def publish_bytes(self, subject: str, payload: bytes, headers: dict[str, str], /) -> PubAck:
        await self.open.wait()
        return await self._bus.publish_bytes(subject, payload, headers)


@asynccontextmanager
async def listening(bus: AudioBus, config: AudioConfig = CONFIG) -> AsyncGenerator[tuple[TrackAudio, Speaker]]:
    clock = HandClock()
    track = TrackAudio(META, vad=LoudIsSpeech(), bus=bus, clock=clock, config=config)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(track.run())
        yield track, Speaker(track, clock)
        await track.close(0.0)
        await running


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[Bus]:
    client = await connection.connect(url, "test-audio")
    jetstream = client.jetstream()  # pyright: ignore[reportUnknownMemberType]  # untyped keywords
    try:
        yield Bus(client, jetstream, "media-ingest")
    finally:
        await client.close()


async def sent(track: TrackAudio, count: int) -> None:
    """Waits until so many chunks of the track are on the bus."""

    async def so_many() -> bool:
        return track.counters.chunks >= count

    await until(so_many)


async def kept(bus: Bus, stream: str, subject: str) -> list[Stored]:
    return [message async for message in stored(bus.nc, stream, subject)]


async def opened(bus: Bus) -> list[UtteranceOpened]:
    return [UtteranceOpened.model_validate_json(m.data) for m in await kept(bus, "STT", "stt.v1.utterance.>")]


async def gaps(bus: Bus) -> list[SttGap]:
    return [SttGap.model_validate_json(m.data) for m in await kept(bus, "STT_RESULTS", "stt.v1.gap.>")]


async def chunks(bus: Bus) -> dict[str, list[tuple[ChunkHeaders, Pcm]]]:
    found: dict[str, list[tuple[ChunkHeaders, Pcm]]] = {}
    for message in await kept(bus, "AUDIO", "audio.v1.>"):
        headers = ChunkHeaders.from_headers(message.headers)
        found.setdefault(headers.utterance_id, []).append((headers, np.frombuffer(message.data, "<i2")))
    return found


def joined(found: list[tuple[ChunkHeaders, Pcm]]) -> Pcm:
    """The utterance's audio; fails unless its chunks are complete and in order."""
    assert [headers.seq for headers, _ in found] == list(range(len(found)))
    reached = 0
    for headers, pcm in found:
        assert headers.first_sample == reached
        reached += len(pcm)
    assert [headers.last for headers, _ in found] == [False] * (len(found) - 1) + [True]
    return np.concatenate([pcm for _, pcm in found])
