"""Which decode goes first, what shares a batch, and what becomes of those nobody wants any more."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from roomscribe_stt_worker.adapters.decode_pool import DecodeHung, DecodePool, Kind
from roomscribe_stt_worker.domain.fairness import Owner
from roomscribe_stt_worker.engines.protocol import Clip, EngineUnavailable, Hypothesis
from roomscribe_stt_worker.metrics import Metrics

OWNER = Owner("acme", "mtg_1")


class Recorder:
    """Notes the lengths of each batch; the first call waits until `go`."""

    provider = "test"
    model = "recorder"
    batch_limit = 4
    patience_s = 30.0

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.thorough: list[list[bool]] = []
        self.begun = threading.Event()
        self.go = threading.Event()

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        self.batches.append([len(clip.samples) for clip in clips])
        self.thorough.append([clip.thorough for clip in clips])
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
    task = asyncio.create_task(pool.decode(clip(1), Kind.INTERIM, OWNER))
    assert await asyncio.to_thread(engine.begun.wait, 5)
    return task


async def queue(pool: DecodePool, *jobs: tuple[Clip, Kind]) -> "list[asyncio.Task[Hypothesis]]":
    tasks = [asyncio.create_task(pool.decode(one, kind, OWNER)) for one, kind in jobs]
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


async def test_finals_are_decoded_one_by_one_and_thoroughly_while_few_wait(pool: DecodePool, engine: Recorder) -> None:
    first = await occupy(pool, engine)
    tasks = await queue(pool, *((replace(clip(n), thorough=True), Kind.FINAL) for n in (2, 3)))
    engine.go.set()
    await asyncio.gather(first, *tasks)
    assert engine.batches == [[1], [2], [3]]
    assert engine.thorough == [[False], [True], [True]]


async def test_far_behind_they_share_batches_and_are_decoded_plainly_until_few_are_left(
    pool: DecodePool, engine: Recorder
) -> None:
    first = await occupy(pool, engine)
    ten_s = 160_000
    tasks = await queue(pool, *((replace(clip(ten_s + n), thorough=True), Kind.FINAL) for n in range(6)))
    assert pool.behind
    engine.go.set()
    await asyncio.gather(first, *tasks)
    assert engine.batches[1:] == [[ten_s, ten_s + 1, ten_s + 2, ten_s + 3], [ten_s + 4], [ten_s + 5]]
    assert engine.thorough[1:] == [[False] * 4, [True], [True]]
    assert not pool.behind


async def test_a_meeting_with_one_final_waits_for_one_of_anothers_many_not_for_all(
    pool: DecodePool, engine: Recorder
) -> None:
    first = await occupy(pool, engine)
    crowd = await queue(pool, *((clip(n), Kind.FINAL) for n in range(100, 120)))
    single = asyncio.create_task(pool.decode(clip(7), Kind.EARLY, Owner("acme", "mtg_2")))
    await asyncio.sleep(0)
    engine.go.set()
    await asyncio.gather(first, *crowd, single)
    assert [7] in engine.batches[:4]


async def test_a_decode_that_hangs_is_given_up_and_its_thread_replaced(engine: Recorder) -> None:
    engine.patience_s = 1.0
    pool = DecodePool(engine, 2, Metrics(MeterProvider().get_meter("test"), "test"))
    watching = asyncio.create_task(pool.watch())
    stuck = asyncio.create_task(pool.decode(clip(1), Kind.FINAL, OWNER))
    with pytest.raises(DecodeHung):
        await asyncio.wait_for(stuck, 10)
    engine.go.set()
    assert (await asyncio.wait_for(pool.decode(clip(2), Kind.FINAL, OWNER), 10)).text == "2"
    assert not pool.worn_out
    watching.cancel()
    pool.close()


async def test_a_slow_decode_that_gets_on_is_not_given_up(engine: Recorder) -> None:
    class Slow(Recorder):
        def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
            until = time.monotonic() + 3.5
            while time.monotonic() < until:
                sum(range(1000))
            return [Hypothesis("slow", "en")]

    slow = Slow()
    slow.patience_s = 1.0
    pool = DecodePool(slow, 1, Metrics(MeterProvider().get_meter("test"), "test"))
    watching = asyncio.create_task(pool.watch())
    assert (await asyncio.wait_for(pool.decode(clip(1), Kind.FINAL, OWNER), 20)).text == "slow"
    watching.cancel()
    pool.close()


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
        await pool.decode(clip(13), Kind.FINAL, OWNER)
    assert (await pool.decode(clip(14), Kind.FINAL, OWNER)).text == "14"


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
