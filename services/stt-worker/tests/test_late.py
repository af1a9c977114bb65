"""Items that waited so long that their audio is gone, and results that cannot be read."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from nats.aio.msg import Msg
from opentelemetry.metrics import NoOpMeter
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.stt import SttGap
from roomscribe_stt_worker.adapters.decode_pool import DecodePool
from roomscribe_stt_worker.adapters.results import Results
from roomscribe_stt_worker.engines.moonshine import Moonshine
from roomscribe_stt_worker.listener import Listener, Policy
from roomscribe_stt_worker.metrics import Metrics
from roomscribe_stt_worker.progress import Progress

from .conftest import Room, Spoken, Start, chunks, utterance, words

SOON_S = 4.0
"""Well below the ten seconds for which audio that may still come is awaited."""


@asynccontextmanager
async def late_listener(room: Room, moonshine: Moonshine) -> AsyncGenerator[Listener]:
    """One that thinks everything old."""
    metrics = Metrics(NoOpMeter("test"), moonshine.provider)
    pool = DecodePool(moonshine, 1, metrics)
    results = Results(Bus(room.nc, room.js, "stt-worker"), room.js)
    policy = Policy(interims=False, max_attempts=8, source="test", old_s=-60.0)
    yield Listener(room.nc, room.js, results, pool, moonshine, metrics, policy)
    pool.close()


async def claim(room: Room) -> Msg:
    pull = await room.js.pull_subscribe_bind("stt-worker-stt", "STT")
    [item] = await pull.fetch(1, timeout=5)
    return item


async def test_an_old_item_whose_audio_is_gone_becomes_a_gap_at_once(room: Room, moonshine: Moonshine) -> None:
    said = utterance()
    await room.open(said)
    async with late_listener(room, moonshine) as listener:
        outcome = await asyncio.wait_for(listener.hear(await claim(room), Progress()), SOON_S)
    [gap] = await room.gaps(said)
    assert outcome == "gap"
    assert (gap.data.whole, gap.data.reason) == (True, "audio_lost")
    assert gap.data.end_ms - gap.data.start_ms == 15_000


async def test_old_audio_without_an_end_is_heard_without_waiting_for_more(
    room: Room, moonshine: Moonshine, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    await room.open(said)
    await room.send(said, *chunks(said, spoken["question"])[:-3])
    async with late_listener(room, moonshine) as listener:
        outcome = await asyncio.wait_for(listener.hear(await claim(room), Progress()), SOON_S)
    [final] = await room.finals(said)
    assert outcome == "truncated"
    assert words(final.data.text) == spoken["question"].words


async def test_a_malformed_gap_keeps_nobody_from_hearing_the_utterance(
    worker: Start, room: Room, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    await room.js.publish(room.subject(SttGap, said), b"{}")
    await room.open(said)
    item = await claim(room)
    await item.nak()
    async with worker():
        await room.send(said, *chunks(said, spoken["answer"]))
        final = await room.final(said, timeout_s=8)
    assert words(final.data.text) == spoken["answer"].words


async def test_claims_that_were_given_back_unbegun_are_no_attempts(
    worker: Start, room: Room, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    await room.say(said, spoken["answer"])
    for _ in range(5):
        await (await claim(room)).nak()
    async with worker(stt_max_attempts=1):
        final = await room.final(said)
    assert final.data.attempt == 1
    assert words(final.data.text) == spoken["answer"].words


async def test_a_worker_that_began_counts_though_it_said_nothing_and_its_successor_makes_a_gap(
    worker: Start, room: Room, moonshine: Moonshine, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    await room.say(said, spoken["answer"])
    item = await claim(room)
    async with late_listener(room, moonshine) as listener:
        hearing = asyncio.create_task(listener.hear(item, progress := Progress()))

        async def begun() -> bool:
            return progress.attempt == 1

        await room.until(begun)
        hearing.cancel()  # as a kill would
        await asyncio.wait([hearing])
    await item.nak()
    async with worker(stt_max_attempts=1):
        await room.until_done()
    [gap] = await room.gaps(said)
    assert (gap.data.reason, gap.data.whole) == ("stt_failed", True)
    assert await room.finals(said) == []
