"""Which decode goes first, what shares a batch, and what becomes of those nobody wants any more."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from roomscribe_stt_worker.adapters.decode_pool import DecodePool, Kind
from roomscribe_stt_worker.engines.protocol import Clip, EngineUnavailable, Hypothesis
from roomscribe_stt_worker.metrics import Metrics


class Recorder:
    """Notes the lengths of each batch; the first call waits until `go`."""

    provider = "test"
    model = "recorder"
    batch_limit = 4
    patience_s = 30.0

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = threading.Event()
        self.go = threading.Event()

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        self.batches.append([len(clip.samples) for clip in clips])
        self.begun.set()
        assert self.go.wait(10)
        if len(clips[0].samples) == 13:
            raise EngineUnavailable("thirteen")
        return [Hypothesis(str(len(clip.samples)), "en") for clip in clips]

    def close(self) -> None:
        pass


def clip(length: int) -> Clip:
    return Clip(np.zeros(length, np.float32))


@pytest.fixture
def engine() -> Recorder:
    return Recorder()


@pytest.fixture
async def pool(engine: Recorder) -> AsyncIterator[DecodePool]:
    pool = DecodePool(engine, 1, Metrics(MeterProvider().get_meter("test"), "test"))
    yield pool
    engine.go.set()
    pool.close()


async def occupy(pool: DecodePool, engine: Recorder) -> "asyncio.Task[Hypothesis]":
    """A decode of length 1 that keeps the only thread busy."""
    task = asyncio.create_task(pool.decode(clip(1), Kind.INTERIM))
    assert await asyncio.to_thread(engine.begun.wait, 5)
    return task


async def queue(pool: DecodePool, *jobs: tuple[Clip, Kind]) -> "list[asyncio.Task[Hypothesis]]":
    tasks = [asyncio.create_task(pool.decode(one, kind)) for one, kind in jobs]
    await asyncio.sleep(0)
    return tasks


async def test_finals_go_before_early_decodes_and_those_before_interims(pool: DecodePool, engine: Recorder) -> None:
    first = await occupy(pool, engine)
    tasks = await queue(
        pool, (clip(2), Kind.INTERIM), (clip(3), Kind.EARLY), (clip(4), Kind.FINAL), (clip(5), Kind.INTERIM)
    )
    engine.go.set()
    texts = [found.text for found in await asyncio.gather(first, *tasks)]
    assert texts == ["1", "2", "3", "4", "5"]
    assert engine.batches == [[1], [4], [3], [2], [5]]


async def test_finals_that_wait_together_share_a_batch(pool: DecodePool, engine: Recorder) -> None:
    first = await occupy(pool, engine)
    lengths = range(2, 8)
    tasks = await queue(pool, *((clip(n), Kind.FINAL) for n in lengths))
    engine.go.set()
    assert [found.text for found in await asyncio.gather(*tasks)] == [str(n) for n in lengths]
    assert engine.batches == [[1], [2, 3, 4, 5], [6, 7]]
    await first


async def test_a_thorough_decode_shares_no_batch(pool: DecodePool, engine: Recorder) -> None:
    first = await occupy(pool, engine)
    thorough = [replace(clip(n), thorough=True) for n in (2, 3)]
    tasks = await queue(pool, *((one, Kind.FINAL) for one in thorough))
    engine.go.set()
    await asyncio.gather(first, *tasks)
    assert engine.batches == [[1], [2], [3]]


async def test_a_decode_that_is_cancelled_while_it_waits_is_never_done(pool: DecodePool, engine: Recorder) -> None:
    first = await occupy(pool, engine)
    unwanted, wanted = await queue(pool, (clip(2), Kind.INTERIM), (clip(3), Kind.INTERIM))
    unwanted.cancel()
    await asyncio.wait([unwanted])
    engine.go.set()
    assert (await wanted).text == "3"
    assert engine.batches == [[1], [3]]
    await first


async def test_a_failure_reaches_whoever_waits_and_the_thread_goes_on(pool: DecodePool, engine: Recorder) -> None:
    engine.go.set()
    with pytest.raises(EngineUnavailable, match="thirteen"):
        await pool.decode(clip(13), Kind.FINAL)
    assert (await pool.decode(clip(14), Kind.FINAL)).text == "14"


async def test_it_is_busy_only_while_every_thread_decodes(pool: DecodePool, engine: Recorder) -> None:
    assert not pool.busy
    first = await occupy(pool, engine)
    assert pool.busy
    engine.go.set()
    await first
    deadline = asyncio.get_running_loop().time() + 5
    while pool.busy:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)
