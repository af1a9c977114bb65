"""What a kill leaves behind, and what the next process makes of it."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from .conftest import Bench, Running, ended, final

Start = Callable[..., Running]
MORTAL = Path(__file__).with_name("dies_after_publish.py")


async def run_until_killed(nats_url: str) -> None:
    environment = {**os.environ, "ROOMSCRIBE_NATS_URL": nats_url}
    process = await asyncio.create_subprocess_exec(sys.executable, str(MORTAL), env=environment)
    try:
        assert await asyncio.wait_for(process.wait(), 30) == -signal.SIGKILL
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_kill_between_publish_and_ack_neither_doubles_nor_loses_a_segment(
    attribution: Start, bench: Bench, streams: str
) -> None:
    await bench.forget_duplicates()
    await bench.say(*(final(f"utt_{n}") for n in range(10)), ended())
    for killed in range(1, 3):
        await run_until_killed(streams)
        assert len(await bench.transcript()) >= killed
    async with attribution():
        completed = await bench.until_completed()
        await bench.until(bench.settled)
    segments = await bench.transcript()
    assert sorted(segment.data.segment_id for segment in segments) == sorted(f"utt_{n}" for n in range(10))
    assert [segment.data.sequence for segment in segments] == list(range(1, 11))
    assert (completed.data.segments, completed.data.complete) == (10, True)
