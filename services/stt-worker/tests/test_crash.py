"""Workers that die, hang, cannot reach their engine, or are told to stop, in the middle of an utterance."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest
from roomscribe_stt_worker.engines.moonshine import Moonshine
from roomscribe_stt_worker.engines.protocol import Clip, EngineRefused, EngineUnavailable, Hypothesis

from .conftest import Room, Spoken, Start, chunks, utterance, words


@asynccontextmanager
async def worker_process(nats_url: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """`python -m roomscribe_stt_worker`, killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "roomscribe_stt_worker",
        env={**os.environ, "ROOMSCRIBE_NATS_URL": nats_url, "ROOMSCRIBE_INSTANCE": "doomed"},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await asyncio.wait_for(process.wait(), 10)


async def claimed(room: Room) -> bool:
    info = await room.js.consumer_info("STT", "stt-worker-stt")
    return info.num_ack_pending == 1


async def test_a_worker_killed_mid_utterance_is_replaced_and_no_word_is_lost_or_said_twice(
    worker: Start, room: Room, streams: str, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    pieces = chunks(said, spoken["roadmap"])
    async with worker_process(streams) as doomed:
        await room.open(said)
        await room.send(said, *pieces[:25], every_s=0.05)
        await room.until_interims(1, timeout_s=60)
        assert await claimed(room)
        async with worker():
            doomed.send_signal(signal.SIGKILL)
            await room.send(said, *pieces[25:], every_s=0.05)
            final = await room.final(said)
    assert final.data.attempt == 2
    assert words(final.data.text) == spoken["roadmap"].words
    assert await room.gaps(said) == []


async def test_a_worker_that_stands_still_is_replaced_and_what_it_says_later_changes_nothing(
    worker: Start, room: Room, streams: str, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    pieces = chunks(said, spoken["question"])
    async with worker_process(streams) as still:
        await room.open(said)
        await room.send(said, *pieces[:15], every_s=0.05)
        await room.until_interims(1, timeout_s=60)
        still.send_signal(signal.SIGSTOP)
        async with worker():
            await room.send(said, *pieces[15:])
            final = await room.final(said, timeout_s=10)
            still.send_signal(signal.SIGCONT)
            later = utterance()
            await room.say(later, spoken["answer"])
            await room.until_done()
    assert final.data.attempt == 2
    assert words(final.data.text) == spoken["question"].words
    assert await room.finals(said) == [final]
    assert await room.gaps(said) == []
    assert words((await room.finals(later))[0].data.text) == spoken["answer"].words


async def test_what_was_said_while_there_was_no_worker_is_heard_late_and_once(
    worker: Start, room: Room, spoken: dict[str, Spoken]
) -> None:
    names = ["roadmap", "question", "answer", "budget"]
    said = [utterance() for _ in names]
    for one, name in zip(said, names, strict=True):
        await room.say(one, spoken[name])
    last = utterance()
    pieces = chunks(last, spoken["answer"])
    await room.open(last)
    await room.send(last, *pieces[:10])
    async with worker(), worker(instance="two"):
        await room.send(last, *pieces[10:])
        await room.until_done()
    for one, name in zip([*said, last], [*names, "answer"], strict=True):
        [final] = await room.finals(one)
        assert words(final.data.text) == spoken[name].words
        assert not final.data.truncated
        assert await room.gaps(one) == []
    assert room.interims == [] or {each.data.utterance.utterance_id for _, each in room.interims} == {last.utterance_id}


async def test_a_worker_told_to_stop_finishes_what_it_follows_and_exits_cleanly(
    room: Room, streams: str, spoken: dict[str, Spoken]
) -> None:
    said, later = utterance(), utterance()
    pieces = chunks(said, spoken["question"])
    async with worker_process(streams) as process:
        await room.open(said)
        await room.send(said, *pieces[:10])
        await room.until_interims(1, timeout_s=60)
        process.terminate()
        await asyncio.sleep(0)
        await room.send(said, *pieces[10:], every_s=0.02)
        assert await asyncio.wait_for(process.wait(), 25) == 0
    [final] = await room.finals(said)
    assert words(final.data.text) == spoken["question"].words
    assert await room.waiting() == 0
    await room.open(later)
    assert await room.waiting() == 1


class Wrapped:
    """Moonshine with a fault in front of it."""

    provider = "moonshine"
    model = "faulty"
    batch_limit = 1
    patience_s = 1.0

    def __init__(self, moonshine: Moonshine) -> None:
        self._moonshine = moonshine
        self.calls = 0

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        self.calls += 1
        self.fault()
        return self._moonshine.transcribe(clips)

    def fault(self) -> None:
        """What goes wrong; nothing unless a subclass says so."""

    def close(self) -> None:
        """The engine is shared."""


class Hangs(Wrapped):
    """Never comes back, until it is let go."""

    def __init__(self, moonshine: Moonshine) -> None:
        super().__init__(moonshine)
        self.let_go = threading.Event()

    def fault(self) -> None:
        self.let_go.wait(60)


class FailsTwice(Wrapped):
    def fault(self) -> None:
        if self.calls <= 2:
            raise EngineUnavailable("the server is away")


class Breaks(Wrapped):
    def fault(self) -> None:
        raise RuntimeError("a fault nobody foresaw")


class Refuses(Wrapped):
    def fault(self) -> None:
        raise EngineRefused("too loud")


async def test_an_utterance_whose_decode_hangs_goes_to_another_worker(
    worker: Start, room: Room, moonshine: Moonshine, spoken: dict[str, Spoken]
) -> None:
    said, hung = utterance(), Hangs(moonshine)
    try:
        async with worker(hung, stt_slots=1, stt_threads=2, stt_interims=False):
            await room.say(said, spoken["answer"])

            async def decoding() -> bool:
                return hung.calls == 1

            await room.until(decoding)
            async with worker(instance="two", stt_slots=8):
                final = await room.final(said)
    finally:
        hung.let_go.set()
    assert final.data.attempt >= 2
    assert final.data.stt.model == "moonshine-tiny-en"
    assert words(final.data.text) == spoken["answer"].words


async def test_a_worker_whose_threads_all_hang_stops_so_that_a_new_process_can_begin(
    worker: Start, room: Room, moonshine: Moonshine, spoken: dict[str, Spoken]
) -> None:
    hung, said = Hangs(moonshine), [utterance() for _ in range(3)]
    try:
        running = worker(hung, stt_slots=2, stt_threads=1, stt_interims=False)
        service = await running.__aenter__()
        for one in said:
            await room.say(one, spoken["answer"])
        await asyncio.wait_for(service.stopping.wait(), 30)
        with pytest.raises(RuntimeError, match="every decode thread hung"):
            await asyncio.wait_for(running.__aexit__(None, None, None), 10)
        async with worker(instance="two"):
            await room.until_done(timeout_s=10)
    finally:
        hung.let_go.set()
    for one in said:
        assert words((await room.finals(one))[0].data.text) == spoken["answer"].words


async def test_an_engine_that_is_away_is_asked_again_later(
    worker: Start, room: Room, moonshine: Moonshine, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    async with worker(FailsTwice(moonshine), stt_interims=False):
        await room.say(said, spoken["answer"])
        final = await room.final(said)
    assert final.data.attempt >= 2
    assert words(final.data.text) == spoken["answer"].words


async def test_audio_the_engine_refuses_becomes_a_gap_that_says_so(
    worker: Start, room: Room, moonshine: Moonshine, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    async with worker(Refuses(moonshine), stt_interims=False):
        await room.say(said, spoken["answer"])
        await room.until_done()
        [gap] = await room.gaps(said)
        assert await room.finals(said) == []
    assert (gap.data.reason, gap.data.whole) == ("stt_failed", True)
    assert gap.data.end_ms > gap.data.start_ms


async def test_an_utterance_that_always_fails_becomes_a_gap_and_a_dead_letter(
    worker: Start, room: Room, moonshine: Moonshine, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    async with worker(Breaks(moonshine), stt_interims=False, stt_max_attempts=1):
        await room.say(said, spoken["answer"])
        await room.until_done()
        [gap] = await room.gaps(said)
        [letter] = await room.dead_letters()
    assert (gap.data.reason, gap.data.whole) == ("stt_failed", True)
    assert gap.data.end_ms > gap.data.start_ms + 2000
    assert "given up" in letter.data.reason


async def test_a_lost_connection_in_mid_utterance_costs_no_word(
    worker: Start, room: Room, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    pieces = chunks(said, spoken["budget"])
    async with worker() as service:
        await room.open(said)
        await room.send(said, *pieces[:20], every_s=0.05)
        await room.until_interims(1)
        for name in await _reader_names(room):
            await room.js.delete_consumer("AUDIO", name)
        transport = service.nc._transport  # pyright: ignore[reportPrivateUsage]  # as a broken network would
        assert transport is not None
        transport.close()
        await room.send(said, *pieces[20:], every_s=0.02)
        final = await room.final(said)
    assert words(final.data.text) == spoken["budget"].words


async def _reader_names(room: Room) -> list[str]:
    return [str(info.name) for info in await room.js.consumers_info("AUDIO")]
