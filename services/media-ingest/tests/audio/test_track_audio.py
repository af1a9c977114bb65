"""From samples to a real NATS: order, restarts, overflow, and a bus that is slow or gone."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray
from roomscribe_common import connection, streams
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.audio import ChunkHeaders
from roomscribe_common.contracts.base import AnyEvent, Participant, Track
from roomscribe_common.contracts.stt import SttGap, UtteranceOpened
from roomscribe_common.errors import Retryable
from roomscribe_common.stored import Stored, stored
from roomscribe_common.testing.providers import Servers
from roomscribe_media_ingest.adapters.audio_out import AudioBus
from roomscribe_media_ingest.adapters.track_audio import TrackAudio
from roomscribe_media_ingest.domain.config import WINDOW, AudioConfig
from roomscribe_media_ingest.domain.segmenter import Pcm
from roomscribe_media_ingest.domain.utterance import TrackMeta

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

    async def publish(self, event: AnyEvent, /) -> object:
        raise Retryable("deaf")

    async def publish_bytes(self, subject: str, payload: bytes, headers: dict[str, str], /) -> object:
        await asyncio.Event().wait()
        return None


class Moody:
    """A bus in front of the real one that refuses each message once."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._asked: set[str] = set()

    def _refuse_first(self, message_id: str) -> None:
        if message_id not in self._asked:
            self._asked.add(message_id)
            raise Retryable("not now")

    async def publish(self, event: AnyEvent, /) -> object:
        self._refuse_first(event.id)
        return await self._bus.publish(event)

    async def publish_bytes(self, subject: str, payload: bytes, headers: dict[str, str], /) -> object:
        self._refuse_first(headers["Nats-Msg-Id"])
        return await self._bus.publish_bytes(subject, payload, headers)


class Gate:
    """A bus in front of the real one that can be held shut."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.open = asyncio.Event()

    async def publish(self, event: AnyEvent, /) -> object:
        await self.open.wait()
        return await self._bus.publish(event)

    async def publish_bytes(self, subject: str, payload: bytes, headers: dict[str, str], /) -> object:
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


@pytest.fixture
async def bus(streams: str) -> AsyncIterator[Bus]:
    async with connected(streams) as found:
        yield found


async def until(condition: Callable[[], Awaitable[bool]], timeout_s: float = 20.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not await condition():  # noqa: ASYNC110  # the server says nothing by itself
            await asyncio.sleep(0.02)


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


async def test_what_is_said_is_on_the_bus_sample_by_sample(bus: Bus):
    async with listening(bus) as (track, speaker):
        speaker.hush(10)
        speaker.sentence()
        assert await track.close(10.0)
    (item,), audio = await opened(bus), await chunks(bus)
    heard = audio[item.data.utterance_id]
    first = (10 * 3 - 11) * WINDOW
    pcm = joined(heard)
    assert np.array_equal(pcm, speaker.said[first : first + len(pcm)])
    assert (item.data.start_ms, item.data.epoch, item.data.keyterms) == (first // 16, 3, ["Roomscribe"])
    assert item.data.started_at.timestamp() == META.started_at.timestamp() + first / 16_000
    assert first + (heard[-1][0].speech_end_sample or 0) == 20 * STEP


async def test_the_pause_is_marked_before_the_last_chunk_which_is_empty(bus: Bus):
    async with listening(bus) as (track, speaker):
        speaker.sentence()
        await track.close(10.0)
    (heard,) = (await chunks(bus)).values()
    assert [headers.pause for headers, _ in heard] == [False] * (len(heard) - 2) + [True, False]
    assert len(heard[-1][1]) == 0


async def test_the_work_item_is_there_while_the_person_still_speaks(bus: Bus):
    async with listening(bus) as (_, speaker):
        speaker.speak(5)

        async def announced() -> bool:
            return len(await opened(bus)) == 1 and len(await chunks(bus)) == 1

        await until(announced)


async def test_counters_say_what_was_heard(bus: Bus):
    async with listening(bus) as (track, speaker):
        speaker.sentence(10)
        speaker.sentence(20)
        await track.close(10.0)
        counters = track.counters
    assert (counters.utterances_opened, counters.utterances_closed) == (2, 2)
    assert counters.audio_ms == 50 * 96
    assert counters.speech_ms == 30 * 96 + 11 * 32
    assert counters.chunks == sum(map(len, (await chunks(bus)).values()))
    assert (counters.dropped_ms, counters.gaps) == (0, 0)


async def test_a_new_name_counts_from_the_next_utterance(bus: Bus):
    async with listening(bus) as (track, speaker):
        speaker.sentence()
        track.rename("Ann Smith")
        speaker.sentence()
        await track.close(10.0)
    assert [item.data.participant.name for item in await opened(bus)] == ["Ann", "Ann Smith"]


async def test_a_mute_ends_the_utterance_at_once(bus: Bus):
    async with listening(bus) as (track, speaker):
        speaker.speak(10)
        track.mute()
        assert track.counters.utterances_closed == 1
        speaker.speak(3)
        assert track.counters.utterances_opened == 2
        await track.close(10.0)
    first, second = (await chunks(bus)).values()
    assert np.array_equal(np.concatenate((joined(first), joined(second))), speaker.said)


async def test_an_utterance_whose_frames_stop_is_closed(bus: Bus):
    clock = HandClock()
    config = CONFIG.model_copy(update={"stalled_ms": 200})
    track = TrackAudio(META, vad=LoudIsSpeech(), bus=bus, clock=clock, config=config)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(track.run())
        Speaker(track, clock).speak(10)
        clock.at_ms += 5_000

        async def closed() -> bool:
            return track.counters.utterances_closed == 1

        await until(closed)
        await track.close(10.0)


async def test_a_server_that_is_killed_in_the_middle_loses_nothing(servers: Servers):
    server = servers.start("nats")
    async with connected(server.url) as bus:
        await streams.apply(bus.js)
        async with listening(bus) as (track, speaker):
            speaker.speak(10)

            async def begun() -> bool:
                return track.counters.chunks >= 3

            await until(begun)
            server.kill()
            speaker.speak(10)
            speaker.hush(10)
            speaker.sentence()
            server.start()
            await asyncio.to_thread(server.wait_ready)
            assert await track.close(30.0)
        found = list((await chunks(bus)).values())
        assert len(found) == len(await opened(bus)) == 2
        assert np.array_equal(joined(found[0])[: 20 * STEP], speaker.said[: 20 * STEP])
        assert track.counters.dropped_ms == 0
    server.stop()


async def test_overflow_costs_the_oldest_audio_and_one_gap_says_from_when_to_when(bus: Bus):
    gate = Gate(bus)
    async with listening(gate) as (track, speaker):
        for _ in range(8):
            speaker.sentence(30)
            await asyncio.sleep(0)
        gate.open.set()
        assert await track.close(20.0)
        counters = track.counters
    items, (gap,) = await opened(bus), await gaps(bus)
    begun, *later = items
    assert (counters.gaps, counters.utterances_opened) == (1, 8)
    assert begun.data.start_ms < gap.data.start_ms < gap.data.end_ms <= later[0].data.start_ms
    # Each sentence and its hush is 40 frames; what is not lost is whole, and what is lost is in the gap.
    lost = 8 - len(items)
    assert gap.data.start_ms == 40 * 96 - 352
    assert gap.data.end_ms == pytest.approx((40 * lost + 30) * 96 + CONFIG.pause_ms, abs=96)
    assert counters.dropped_ms == pytest.approx(lost * (30 * 96 + 352 + CONFIG.pause_ms), abs=200)
    for heard in (await chunks(bus)).values():
        joined(heard)
    assert set(await chunks(bus)) == {item.data.utterance_id for item in items}


async def test_what_the_bus_gave_up_is_tried_again(bus: Bus):
    async with listening(Moody(bus)) as (track, speaker):
        speaker.sentence(5)
        assert await track.close(20.0)
    assert len(await opened(bus)) == 1
    (heard,) = (await chunks(bus)).values()
    assert np.array_equal(joined(heard)[: 5 * STEP], speaker.said[: 5 * STEP])


async def test_an_utterance_that_was_held_up_for_long_goes_on_under_a_new_id(bus: Bus):
    gate = Gate(bus)
    gate.open.set()
    async with listening(gate, CONFIG.model_copy(update={"abandoned_ms": 300})) as (track, speaker):
        speaker.speak(6)

        async def begun() -> bool:
            return track.counters.chunks == 3

        await until(begun)
        gate.open.clear()
        speaker.speak(4)
        began = time.monotonic()

        async def waited() -> bool:
            return time.monotonic() - began > 0.4

        await until(waited)
        gate.open.set()
        speaker.speak(10)
        speaker.hush(10)
        assert await track.close(10.0)
    old, new = await opened(bus)
    audio = await chunks(bus)
    early, late = audio[old.data.utterance_id], audio[new.data.utterance_id]
    assert early[-1][0].speech_end_sample == 6 * STEP
    pcm = joined(late)
    assert np.array_equal(pcm, speaker.said[6 * STEP : 6 * STEP + len(pcm)])
    assert late[-1][0].speech_end_sample == 14 * STEP
    assert new.data.start_ms == old.data.start_ms + 6 * 96
    assert track.counters.dropped_ms == 0


async def test_a_bus_that_takes_nothing_never_holds_up_the_track():
    async with listening(Deaf()) as (track, speaker):
        for _ in range(40):
            speaker.sentence()
            await asyncio.sleep(0)
        counters = track.counters
        assert counters.audio_ms == 40 * 20 * 96
        assert counters.utterances_closed == 40
        assert counters.dropped_ms > counters.speech_ms - CONFIG.buffer_bytes / 32


async def test_what_close_gives_up_is_a_gap_from_the_first_word_that_was_not_sent(bus: Bus):
    gate = Gate(bus)
    gate.open.set()
    async with listening(gate) as (track, speaker):
        speaker.speak(6)

        async def begun() -> bool:
            return track.counters.chunks == 3

        await until(begun)
        gate.open.clear()
        speaker.speak(4)
        speaker.hush(10)
        speaker.sentence()
        assert not await track.close(0.2)
        counters = track.counters
        partly, wholly = track.give_up()
    [item] = await opened(bus)
    assert (partly.data.utterance_id, partly.data.whole) == (item.data.utterance_id, False)
    assert (partly.data.start_ms, partly.data.end_ms) == (6 * 96, 10 * 96 + CONFIG.pause_ms)
    assert (wholly.data.utterance_id, wholly.data.whole) == (track.last_utterance_id, True)
    assert wholly.data.end_ms - wholly.data.start_ms >= 10 * 96
    assert {gap.data.reason for gap in (partly, wholly)} == {"audio_lost"}
    assert counters.gaps == 2


async def test_close_gives_up_at_its_deadline_and_says_so():
    async with listening(Deaf()) as (track, speaker):
        speaker.sentence()
        await asyncio.sleep(0)
        began = time.perf_counter()
        assert not await track.close(0.2)
        assert time.perf_counter() - began < 2.0
        assert track.counters.dropped_ms > 900
