"""What a plain NATS subscriber hears is what the stream holds, whatever replicas race, die, pause or lose."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats.errors
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from roomscribe_common import connection, servers, streams
from roomscribe_common.contracts.transcript import TranscriptFinal
from roomscribe_common.pull import BoundJetStream
from roomscribe_common.servers import LocalServer
from roomscribe_common.subjects import wildcard
from roomscribe_common.testing.own import own_server

from .conftest import Bench, Running, final

Start = Callable[..., Running]
Heard = list[tuple[str, int]]
"""Event ids, and the numbers that were told with them."""
HERE = Path(__file__).parent


async def listen(nc: Client) -> Heard:
    heard: Heard = []

    async def hear(msg: Msg) -> None:
        event = TranscriptFinal.model_validate_json(msg.data)
        heard.append((event.id, event.data.sequence))

    await nc.subscribe(wildcard(TranscriptFinal), cb=hear)  # pyright: ignore[reportUnknownMemberType]  # untyped in nats-py
    await nc.flush()
    return heard


async def held(bench: Bench) -> Heard:
    return [(event.id, event.data.sequence) for event in await bench.transcript()]


@asynccontextmanager
async def process(nats_url: str, *program: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A replica, killed at the end if it still runs."""
    environment = {**os.environ, "ROOMSCRIBE_NATS_URL": nats_url, "ROOMSCRIBE_INSTANCE": "other"}
    replica = await asyncio.create_subprocess_exec(sys.executable, *program, env=environment)
    try:
        yield replica
    finally:
        if replica.returncode is None:
            replica.kill()
        await asyncio.wait_for(replica.wait(), 10)


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


async def all_numbered(bench: Bench, heard: Heard, count: int) -> None:
    await bench.until_segments(count)
    await bench.until(bench.settled)
    await bench.nc.flush()
    stored = await held(bench)
    assert heard == stored
    assert [sequence for _, sequence in stored] == list(range(1, count + 1))


async def test_of_two_replicas_that_race_only_the_winner_is_heard(attribution: Start, bench: Bench) -> None:
    await bench.forget_duplicates()
    heard = await listen(bench.nc)
    events = [final(f"utt_{n}") for n in range(100)]
    async with attribution("one"), attribution("two"):
        await asyncio.gather(*(bench.say(event) for event in events * 2))
        await all_numbered(bench, heard, 100)


async def test_a_replica_paused_before_its_publish_is_not_heard_when_it_goes_on(
    attribution: Start, bench: Bench, streams: str
) -> None:
    await bench.forget_duplicates()
    heard = await listen(bench.nc)
    async with process(streams, str(HERE / "stops_before_publish.py")) as paused:
        await bench.say(final("utt_0"))

        async def stopped() -> bool:
            return is_stopped(paused.pid)

        await bench.until(stopped)
        async with attribution():
            await bench.say(*(final(f"utt_{n}") for n in range(1, 5)))
            await bench.until_segments(5)  # that of the paused one too: its claim has lapsed
            paused.send_signal(signal.SIGCONT)
            paused.terminate()
            assert await asyncio.wait_for(paused.wait(), 30) == 0
            await all_numbered(bench, heard, 5)


async def test_a_replica_killed_among_others_leaves_no_number_twice_and_none_out(
    attribution: Start, bench: Bench, streams: str
) -> None:
    await bench.forget_duplicates()
    heard = await listen(bench.nc)
    async with process(streams, "-m", "roomscribe_attribution") as doomed:
        await bench.say(final("utt_0"))
        await bench.until_segments(1)
        async with attribution():
            saying = asyncio.create_task(bench.say(*(final(f"utt_{n}") for n in range(1, 100))))
            await bench.until_segments(20)
            doomed.kill()
            await saying
            await all_numbered(bench, heard, 100)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalServer]:
    """A nats-server of the test's own, whose state survives it."""
    with own_server(servers.nats(tmp_path / "nats")) as own:
        yield own


async def test_after_a_restart_of_nats_nothing_is_heard_that_is_not_held_and_nothing_twice(
    server: LocalServer, start_at: Callable[..., Running]
) -> None:
    nc = await connection.connect(server.url, "test")
    try:
        await streams.apply(BoundJetStream(nc))
        bench, heard = Bench(nc), await listen(nc)
        async with start_at(server.url, "one"), start_at(server.url, "two"):
            await bench.say(*(final(f"utt_{n}") for n in range(20)))
            await bench.until_segments(5)
            server.kill()
            server.start()
            await asyncio.to_thread(server.wait_ready)
            await bench.until(lambda: connected(nc))
            await bench.say(*(final(f"utt_{n}") for n in range(20, 40)))
            await bench.until_segments(40)
            await bench.until(bench.settled)
            await nc.flush()
        stored = await held(bench)
        assert [sequence for _, sequence in stored] == list(range(1, 41))
        assert [each for each in stored if each in set(heard)] == heard
    finally:
        await nc.close()


async def connected(nc: Client) -> bool:
    try:
        await nc.flush(timeout=1)
    except (nats.errors.Error, OSError):
        return False
    return nc.is_connected
