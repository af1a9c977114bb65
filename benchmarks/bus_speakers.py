"""People who speak without end, as a process of its own: real tracks of the room process, from samples to the bus.

Reads one `Order`, writes one `Spoken` when they have begun and one when they are done.
"""

import asyncio
import sys
import time
from datetime import UTC, datetime

import numpy as np
from pydantic import BaseModel
from roomscribe_cli.demo.script import Script, clip
from roomscribe_common import connection
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.audio import SAMPLE_RATE
from roomscribe_common.contracts.base import Participant, Track
from roomscribe_media_ingest.adapters.clock import MeetingClock
from roomscribe_media_ingest.adapters.silero import SileroVad
from roomscribe_media_ingest.adapters.track_audio import TrackAudio
from roomscribe_media_ingest.domain.config import AudioConfig
from roomscribe_media_ingest.domain.listener import STEP
from roomscribe_media_ingest.domain.segmenter import Pcm
from roomscribe_media_ingest.domain.utterance import TrackMeta

_FLUSH_S = 10.0


class Order(BaseModel):
    """So many tracks speak for so many seconds."""

    nats: str
    tracks: int
    seconds: float


class Spoken(BaseModel):
    """`late_ms`: by how much the microphones themselves were late at worst; `chunks` the bus took."""

    done: bool
    late_ms: float = 0.0
    chunks: int = 0
    utterances: int = 0
    cpu_s: float = 0.0


def endless_speech() -> Pcm:
    """The demonstration's lines without a rest, for tracks to begin at different places of."""
    return np.concatenate([clip(line.file, SAMPLE_RATE) for line in Script.load().lines])


async def _feed(track: TrackAudio, speech: Pcm, at: int, begin: float, seconds: float) -> float:
    """Gives a track its frames in real time; returns by how many seconds it was late at worst."""
    worst, step_s = 0.0, STEP / SAMPLE_RATE
    for number in range(int(seconds / step_s)):
        due = begin + number * step_s
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        worst = max(worst, time.monotonic() - due)
        first = (at + number * STEP) % (len(speech) - STEP)
        track.feed(speech[first : first + STEP])
    return worst


async def _speak(order: Order) -> None:
    nc = await connection.connect(order.nats, "speakers")
    js = nc.jetstream(timeout=10)  # pyright: ignore[reportUnknownMemberType]  # untyped keywords
    bus, vad, now, speech = Bus(nc, js, "speakers"), SileroVad(), datetime.now(UTC), endless_speech()
    tracks = [
        TrackAudio(
            TrackMeta(
                tenant="local",
                meeting_id="mtg_bus",
                room="bus",
                epoch=1,
                started_at=now,
                participant=Participant(identity=f"p{number}", name=f"P{number}"),
                track=Track(id=f"TR_{number}", source="microphone"),
            ),
            vad=vad.track(),
            bus=bus,
            clock=MeetingClock(now),
            config=AudioConfig(),
        )
        for number in range(order.tracks)
    ]
    running = [asyncio.create_task(track.run()) for track in tracks]
    print(Spoken(done=False).model_dump_json(), flush=True)
    began, cpu = time.monotonic(), time.process_time()
    feeds = [
        # Nobody's frames come at the same moment as another's, as in life.
        _feed(track, speech, number * len(speech) // order.tracks, began + 0.096 * number / order.tracks, order.seconds)
        for number, track in enumerate(tracks)
    ]
    late = await asyncio.gather(*feeds)
    await asyncio.gather(*(track.close(_FLUSH_S) for track in tracks))
    await asyncio.gather(*running)
    counters = [track.counters for track in tracks]
    spoken = Spoken(
        done=True,
        late_ms=1000 * max(late),
        chunks=sum(each.chunks for each in counters),
        utterances=sum(each.utterances_opened for each in counters),
        cpu_s=time.process_time() - cpu,
    )
    print(spoken.model_dump_json(), flush=True)
    await connection.close(nc)


def main() -> None:
    """Speaks as ordered."""
    asyncio.run(_speak(Order.model_validate_json(sys.stdin.readline())))


if __name__ == "__main__":
    main()
