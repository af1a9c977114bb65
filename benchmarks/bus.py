"""How long a chunk of audio takes from the room process to a worker, with 50 people speaking at once."""

import asyncio
import time
from contextlib import AsyncExitStack

from nats.aio.client import Client
from nats.aio.msg import Msg

from benchmarks import bus_followers, bus_speakers
from benchmarks.bus_followers import Followed
from benchmarks.bus_speakers import Spoken
from benchmarks.report import CouldNotRun, Findings, Goal
from benchmarks.spread import spread
from benchmarks.talk import talk
from benchmarks.usage import CpuWatch
from benchmarks.work_queue import own_queue

TRACKS = 50
SECONDS = 40.0
_MORE_S = 60.0
_ECHO_EVERY_S = 0.05
_ECHO_BYTES = 6_144
"""As much as a chunk holds."""


async def _echoes(nc: Client, seconds: float) -> list[float]:
    """Milliseconds a plain message takes from here through the server back to here, again and again."""
    waits, inbox = list[float](), nc.new_inbox()

    async def back(msg: Msg) -> None:
        waits.append(1000 * (time.monotonic() - float(msg.data)))

    await nc.subscribe(inbox, cb=back)  # pyright: ignore[reportUnknownMemberType]  # untyped future
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await nc.publish(inbox, repr(time.monotonic()).encode().ljust(_ECHO_BYTES))
        await asyncio.sleep(_ECHO_EVERY_S)
    await nc.flush()
    return waits


async def _measure(tracks: int, seconds: float) -> tuple[Spoken, Followed, list[float], dict[str, float]]:
    async with AsyncExitStack() as ends:
        queue = await ends.enter_async_context(own_queue())
        followers = await ends.enter_async_context(talk("benchmarks.bus_followers", Followed))
        speakers = await ends.enter_async_context(talk("benchmarks.bus_speakers", Spoken))
        await followers.say(bus_followers.Order(nats=queue.url))
        await queue.workers_wait(1)
        await speakers.say(bus_speakers.Order(nats=queue.url, tracks=tracks, seconds=seconds))
        await speakers.until(lambda spoken: not spoken.done, _MORE_S)
        watch = CpuWatch({"nats": queue.nats_pid, "speakers": speakers.pid, "followers": followers.pid})
        echoes = await _echoes(queue.nc, seconds)
        used = watch.used_s()
        spoken = await speakers.until(lambda spoken: spoken.done, _MORE_S)
        await queue.workers_wait(1)
        followers.close_input()
        return spoken, await followers.until(lambda _: True, _MORE_S), echoes, used


def measure(quick: bool) -> Findings:
    """40 seconds; every chunk counts, also those that were cut before a worker had claimed their utterance."""
    tracks, seconds = (10, 8.0) if quick else (TRACKS, SECONDS)
    spoken, followed, echoes, used = asyncio.run(_measure(tracks, seconds))
    bare = spread(echoes, 1)
    if followed.chunks != spoken.chunks:
        raise CouldNotRun(f"{spoken.chunks} chunks were sent, and {followed.chunks} came")
    return Findings(
        goals=[
            Goal(
                what=f"a chunk from its cut to the worker, {tracks} speaking tracks, p99",
                unit="ms",
                value=followed.every["p99"],
                limit=10,
                bare=bare["p99"],
            )
        ],
        figures={
            "bare_echo_ms": {**bare},
            "chunks": followed.chunks,
            "utterances": followed.utterances,
            "every_chunk_ms": {**followed.every},
            "chunks_of_claimed_utterances_ms": {**followed.live},
            "chunks_before_the_claim_ms": {**followed.first},
            "publish_to_claim_ms": {**followed.claimed},
            "microphones_late_at_worst_ms": round(spoken.late_ms, 1),
            "cpu_s_per_track_minute": {name: round(s * 60 / tracks / seconds, 3) for name, s in used.items()},
        },
    )
