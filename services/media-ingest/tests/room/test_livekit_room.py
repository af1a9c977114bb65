"""The adapter against a real server: what only the agent's own connection can do to itself."""

import asyncio
from collections.abc import AsyncGenerator

import numpy as np
import pytest
from livekit import rtc
from numpy.typing import NDArray
from roomscribe_common.contracts.agent import LeaveReason
from roomscribe_common.contracts.base import Track
from roomscribe_media_ingest.adapters.livekit_room import LivekitRoom, NotConnected
from roomscribe_media_ingest.adapters.livekit_runtime import without_tokens
from roomscribe_media_ingest.room.people import Frames, Person
from roomscribe_media_ingest.room.tracks import Tracks

from .eventually import eventually
from .rooms import Rooms
from .speech import speech
from .test_tracks import Bus

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Recorder:
    """A listener that writes down what it hears."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []
        self.samples: dict[str, int] = {}
        self.reasons: list[LeaveReason] = []
        self.away_times = 0
        self._reading: list[asyncio.Task[None]] = []

    def people(self, present: list[Person]) -> None:
        self.seen.append([person.identity for person in present])

    def away(self) -> None:
        self.away_times += 1

    def deaf(self, for_s: float) -> None: ...

    def hears(self, for_s: float) -> None: ...

    def moved(self) -> None: ...

    def joined(self, person: Person) -> None: ...

    def left(self, sid: str, identity: str, reason: str) -> None: ...

    def renamed(self, person: Person) -> None: ...

    def muted(self, person: Person, track: Track, muted: bool) -> None: ...

    def audio(self, person: Person, track: Track, frames: Frames) -> None:
        self._reading.append(asyncio.create_task(self._read(track.id, frames)))

    def silence(self, track_id: str, *, gone: bool) -> None: ...

    def disconnected(self, reason: LeaveReason) -> None:
        self.reasons.append(reason)

    async def _read(self, track_id: str, frames: Frames) -> None:
        async for pcm in frames():
            self._count(track_id, pcm)

    def _count(self, track_id: str, pcm: NDArray[np.int16]) -> None:
        assert len(pcm) == 1536
        self.samples[track_id] = self.samples.get(track_id, 0) + len(pcm)


@pytest.mark.parametrize(
    "scenario", [rtc.SimulateScenarioKind.SIMULATE_SIGNAL_RECONNECT, rtc.SimulateScenarioKind.SIMULATE_FULL_RECONNECT]
)
async def test_an_agent_that_reconnects_goes_on_hearing(rooms: Rooms, scenario: rtc.SimulateScenarioKind.ValueType):
    name = f"r-reconnect-{scenario}"
    ada = await rooms.enter(name, "ada")
    track = await ada.unmute()
    recorder = Recorder()
    room = LivekitRoom(recorder)
    await room.connect(rooms.livekit.url, rooms.token(name, "agent", "Agent", agent=True), 20)
    room.look()
    assert recorder.seen == [["ada"]]
    talking = asyncio.create_task(ada.play(np.tile(speech(), 20)))
    await eventually(lambda: recorder.samples.get(track, 0) > 0)
    inner = room._room  # pyright: ignore[reportPrivateUsage]  # only the connection itself can break itself
    await inner.simulate_scenario(scenario)
    await eventually(lambda: len(recorder.seen) == 2)
    assert recorder.seen[1] == ["ada"]
    assert recorder.away_times == 1
    before = recorder.samples[track]
    await eventually(lambda: recorder.samples[track] > before + 16_000)
    talking.cancel()
    await room.close()


class Hoarder(Recorder):
    """Takes tracks, and reads none of them until it is asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.tracks = dict[str, Frames]()

    def audio(self, person: Person, track: Track, frames: Frames) -> None:
        self.tracks[track.id] = frames


async def test_what_is_queued_when_the_agent_leaves_is_fed(rooms: Rooms):
    ada = await rooms.enter("r-queued", "ada")
    track = await ada.unmute()
    hoarder = Hoarder()
    room = LivekitRoom(hoarder)
    await room.connect(rooms.livekit.url, rooms.token("r-queued", "agent", "Agent", agent=True), 20)
    room.look()
    source = (await eventually(lambda: hoarder.tracks.get(track)))()
    reading = asyncio.Event()

    async def late() -> AsyncGenerator[NDArray[np.int16], None]:
        yield await anext(source)
        await reading.wait()  # the process has other things to do
        async for pcm in source:
            yield pcm

    bus = Bus(away=False)
    tracks = Tracks(bus.listen, lambda _: None)
    tracks.start(Person("PA_1", "ada", "Ada", "standard"), Track(id=track, source="microphone"), late)
    await eventually(lambda: tracks.counters.audio_ms)
    await ada.play(speech())
    reading.set()
    await tracks.close(10.0)
    assert tracks.counters.audio_ms > 3_000
    assert len(bus.opened) == tracks.counters.utterances_opened >= 1
    await room.close()


async def test_what_livekit_says_of_a_refused_token_holds_no_token(rooms: Rooms):
    token = rooms.token("r-no", "agent", "Agent", agent=True, secret="another-secret-of-at-least-32-characters")
    with pytest.raises(NotConnected) as refused:
        await LivekitRoom(Recorder()).connect(rooms.livekit.url, token, 20)
    assert "401" in str(refused.value)
    assert token not in str(refused.value)
    assert without_tokens(f"a {token} b") == "a <token> b"


async def test_an_address_where_nobody_answers_is_told_in_time():
    with pytest.raises(NotConnected):
        await LivekitRoom(Recorder()).connect("ws://127.0.0.1:9", "x", 5)
