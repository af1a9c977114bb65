"""Hours faster than real time: every sample once, at its time, in memory that does not grow."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import numpy as np
from nats.js import JetStreamContext
from nats.js.api import PubAck
from roomscribe_common.contracts.audio import ChunkHeaders
from roomscribe_common.contracts.base import AnyEvent, Participant, Track
from roomscribe_common.contracts.stt import Utterance, UtteranceOpened
from roomscribe_media_ingest.adapters.silero import SileroVad
from roomscribe_media_ingest.adapters.track_audio import TrackAudio
from roomscribe_media_ingest.domain.config import AudioConfig
from roomscribe_media_ingest.domain.listener import Vad
from roomscribe_media_ingest.domain.segmenter import Pcm

from .tracking import META, STEP, HandClock, LoudIsSpeech, speech

CONFIG = AudioConfig()
FRAME_MS = 96
MINUTE = 625
"""Frames."""
JITTER_MS = 150
PERIOD = 2**19
"""Samples, twice as many as an utterance has."""


class Sound(Protocol):
    """What a track sounds like."""

    def at(self, first: int, length: int) -> Pcm:
        """Any part of it, at any time."""
        ...


class Endless:
    """Noise without end that does not repeat within an utterance."""

    def __init__(self, seed: int, loudest: int = 8_000) -> None:
        noise = np.random.default_rng(seed).integers(-loudest, loudest, PERIOD).astype(np.int16)
        self._tile = np.concatenate((noise, noise))

    def at(self, first: int, length: int) -> Pcm:
        first %= PERIOD
        return self._tile[first : first + length]


class Once:
    """A quiet microphone into which somebody says one sentence."""

    def __init__(self, says: Pcm, first: int) -> None:
        self._quiet = Endless(4, loudest=8)
        self._says, self._first = says, first

    def at(self, first: int, length: int) -> Pcm:
        pcm = self._quiet.at(first, length).copy()
        begin, end = max(first, self._first), min(first + length, self._first + len(self._says))
        if begin < end:
            pcm[begin - first : end - first] = self._says[begin - self._first : end - self._first]
        return pcm


class Checking:
    """A bus that compares each chunk with what was said at its time, and keeps only what it covers."""

    def __init__(self, sounds: Mapping[str, Sound], begins_ms: float = 0.0) -> None:
        self.sounds = sounds
        self._begins_ms = begins_ms
        self._items: dict[str, Utterance] = {}
        self._first: dict[str, bytes] = {}
        self.covered: dict[str, list[tuple[int, int]]] = {track: [] for track in sounds}
        self.stored = 0

    @property
    def js(self) -> JetStreamContext:
        raise AssertionError("a bus that refuses no sequence is not read")

    async def publish(self, event: AnyEvent, /) -> object:
        assert isinstance(event, UtteranceOpened)
        place = event.data
        assert place.started_at - META.started_at == timedelta(milliseconds=place.start_ms)
        self._items[place.utterance_id] = place
        self._check(place, 0, self._first.pop(place.utterance_id))
        return None

    async def publish_bytes(self, subject: str, payload: bytes, headers: dict[str, str], /) -> PubAck:
        chunk = ChunkHeaders.from_headers(headers)
        self.stored += 1
        if chunk.seq == 0:
            self._first[chunk.utterance_id] = payload
        else:
            self._check(self._items[chunk.utterance_id], chunk.first_sample, payload)
        if chunk.last:
            del self._items[chunk.utterance_id]
        return PubAck("AUDIO", self.stored)

    def _check(self, place: Utterance, first_sample: int, payload: bytes) -> None:
        pcm = np.frombuffer(payload, "<i2")
        first = round((place.start_ms - self._begins_ms) * 16) + first_sample
        assert np.array_equal(pcm, self.sounds[place.track.id].at(first, len(pcm)))
        covered = self.covered[place.track.id]
        if covered and covered[-1][1] == first:
            covered[-1] = (covered[-1][0], first + len(pcm))
        else:
            covered.append((first, first + len(pcm)))


@asynccontextmanager
async def attending(bus: Checking, clock: HandClock, vad: Vad, track_id: str) -> AsyncGenerator[TrackAudio]:
    meta = replace(
        META, track=Track(id=track_id, source="microphone"), participant=Participant(identity=track_id, name="")
    )
    track = TrackAudio(meta, vad=vad, bus=bus, clock=clock, config=CONFIG)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(track.run())
        yield track
        assert await track.close(10.0)


def memory() -> tuple[int, int]:
    """What this process holds: bytes in memory, objects alive."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096, len(gc.get_objects())


async def test_a_monologue_of_thirty_minutes_is_there_to_the_sample_and_takes_no_more_memory_than_five():
    sound = Endless(1)
    late_ms = np.random.default_rng(2).uniform(0, JITTER_MS, 30 * MINUTE)
    late_ms[0] = 0
    bus, clock = Checking({"TR_1": sound}), HandClock()
    before = (0, 0)
    async with attending(bus, clock, LoudIsSpeech(), "TR_1") as track:
        for at in range(30 * MINUTE):
            clock.at_ms = (at + 1) * FRAME_MS + float(late_ms[at])
            track.feed(sound.at(at * STEP, STEP))
            await asyncio.sleep(0)
            if at == 5 * MINUTE:
                before = memory()
        size_bytes, objects = (now - then for now, then in zip(memory(), before, strict=True))
        assert track.queued_bytes < 32_000
    assert bus.covered["TR_1"] == [(0, 30 * MINUTE * STEP)]
    assert track.counters.utterances_opened >= 30 * 60 / 15
    assert size_bytes < 8_000_000, "its audio has 48 MB"
    assert objects < 2_000, "it has 7 800 chunks"


async def test_after_an_hour_of_silence_a_sentence_is_where_it_was_said():
    hour = 60 * MINUTE * STEP
    sentence = speech()
    bus, clock = Checking({"TR_1": Once(sentence, hour)}, begins_ms=500.0), HandClock()
    clock.at_ms = 500.0
    async with attending(bus, clock, SileroVad().track(), "TR_1") as track:
        for at in range(61 * MINUTE):
            if at == 60 * MINUTE:
                assert track.counters.utterances_opened == 0
                assert track.queued_bytes == 0
            clock.at_ms += FRAME_MS
            track.feed(bus.sounds["TR_1"].at(at * STEP, STEP))
    covered = bus.covered["TR_1"]
    assert hour - 16 * CONFIG.pre_roll_ms <= covered[0][0] < hour + 16_000
    assert sum(end - first for first, end in covered) > 0.8 * len(sentence)
    assert covered[-1][1] < hour + len(sentence) + 16_000


async def test_two_people_who_speak_all_the_time_are_each_there_whole_and_apart():
    sounds = {"TR_1": Endless(5), "TR_2": Endless(6)}
    bus, clock = Checking(sounds), HandClock()
    async with (
        attending(bus, clock, LoudIsSpeech(), "TR_1") as one,
        attending(bus, clock, LoudIsSpeech(), "TR_2") as two,
    ):
        for at in range(10 * MINUTE):
            clock.at_ms += FRAME_MS
            one.feed(sounds["TR_1"].at(at * STEP, STEP))
            two.feed(sounds["TR_2"].at(at * STEP, STEP))
            await asyncio.sleep(0)
    assert bus.covered == {track: [(0, 10 * MINUTE * STEP)] for track in sounds}
