"""A real nats-server that is killed, restarted and stopped while somebody speaks: nothing lost, nothing twice."""

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from roomscribe_common import servers, streams
from roomscribe_common.bus import Bus
from roomscribe_common.servers import LocalServer
from roomscribe_common.testing.own import own_server
from roomscribe_common.testing.until import until
from roomscribe_media_ingest.domain.config import AudioConfig
from roomscribe_media_ingest.domain.segmenter import Pcm

from .tracking import CONFIG, STEP, Speaker, chunks, connected, gaps, joined, listening, opened, sent

LONG = AudioConfig(buffer_bytes=120 * 32_000)
FRAME_MS = 96


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalServer]:
    """A nats-server of the test's own, whose state survives it."""
    with own_server(servers.nats(tmp_path / "nats")) as own:
        yield own


@asynccontextmanager
async def provisioned(server: LocalServer) -> AsyncGenerator[Bus]:
    async with connected(server.url) as bus:
        await streams.apply(bus.js)
        yield bus


async def restart(server: LocalServer) -> None:
    server.start()
    await asyncio.to_thread(server.wait_ready)


async def everything(bus: Bus) -> list[tuple[int, Pcm]]:
    """All utterances that were announced, each whole, as the meeting's time and the audio."""
    audio = await chunks(bus)
    items = sorted(await opened(bus), key=lambda item: item.data.start_ms)
    assert {item.data.utterance_id for item in items} == set(audio)
    return [(item.data.start_ms, joined(audio[item.data.utterance_id])) for item in items]


def is_where_it_was_said(spoken: list[tuple[int, Pcm]], speaker: Speaker) -> None:
    """Each sample at its time, and no two utterances hold the same one."""
    for start_ms, pcm in spoken:
        assert np.array_equal(pcm, speaker.said[start_ms * 16 :][: len(pcm)])
    for (start_ms, pcm), (next_ms, _) in itertools.pairwise(spoken):
        assert start_ms * 16 + len(pcm) <= next_ms * 16


async def test_a_minute_of_one_speaker_without_a_server_is_whole_and_where_it_was_said(server: LocalServer):
    async with provisioned(server) as bus:
        async with listening(bus, LONG) as (track, speaker):
            speaker.speak(10)
            await sent(track, 3)
            server.kill()
            speaker.speak(625)  # a minute, over four utterances, the first of them half sent
            await asyncio.sleep(0)
            speaker.sentence()
            await restart(server)
            assert await track.close(30.0)
            assert (track.counters.dropped_ms, track.counters.gaps) == (0, 0)
        spoken = await everything(bus)
        is_where_it_was_said(spoken, speaker)
        heard = np.concatenate([pcm for _, pcm in spoken])
        assert np.array_equal(heard[: 645 * STEP], speaker.said[: len(heard)][: 645 * STEP])
        assert len(spoken) == track.counters.utterances_opened


async def test_a_server_that_stands_still_gets_the_message_in_flight_once(
    server: LocalServer, caplog: pytest.LogCaptureFixture
):
    async with provisioned(server) as bus:
        async with listening(bus, LONG) as (track, speaker):
            speaker.speak(10)
            await sent(track, 3)
            os.kill(server.pid, signal.SIGSTOP)
            speaker.speak(20)

            async def sent_again() -> bool:
                return "publish retried" in caplog.text

            await until(sent_again)
            os.kill(server.pid, signal.SIGCONT)
            speaker.hush(10)
            assert await track.close(30.0)
        [(start_ms, pcm)] = await everything(bus)
        assert np.array_equal(pcm[: 30 * STEP], speaker.said[: 30 * STEP])
        assert start_ms == 0
        assert track.counters.utterances_opened == 1
        # The server has the messages that were sent twice only once, by their ids.
        assert track.counters.chunks == len((await chunks(bus)).popitem()[1])


async def test_what_does_not_fit_while_the_server_is_away_is_exactly_the_gap_and_it_is_the_oldest(server: LocalServer):
    async with provisioned(server) as bus:
        async with listening(bus, CONFIG) as (track, speaker):
            speaker.speak(10)
            await sent(track, 3)
            server.kill()
            speaker.hush(10)
            for _ in range(8):
                speaker.sentence(30)
            assert track.counters.dropped_ms > 0
            await restart(server)
            assert await track.close(30.0)
        spoken, [gap] = await everything(bus), await gaps(bus)
        is_where_it_was_said(spoken, speaker)
        (first_ms, first), *kept = spoken
        lost = 8 - len(kept)
        assert first_ms == 0
        assert np.array_equal(first[: 10 * STEP], speaker.said[: 10 * STEP])
        # After 20 frames of beginning and hush, each sentence and its hush is 40 frames.
        assert [start_ms for start_ms, _ in kept] == [(20 + 40 * at) * FRAME_MS - 352 for at in range(lost, 8)]
        assert (gap.data.reason, gap.data.whole) == ("buffer_full", True)
        assert gap.data.start_ms == 20 * FRAME_MS - 352
        assert gap.data.end_ms == (20 + 40 * (lost - 1) + 30) * FRAME_MS + CONFIG.pause_ms
        assert track.counters.dropped_ms == lost * (30 * FRAME_MS + 352 + CONFIG.pause_ms)
        assert 0 < lost < 8
