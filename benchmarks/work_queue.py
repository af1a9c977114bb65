"""A NATS server with our streams and nothing else, utterances that wait in it, and workers of the real kind."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nats.aio.client import Client
from roomscribe_common import connection, servers, streams
from roomscribe_common.bus import MSG_ID, Bus
from roomscribe_common.contracts.base import Participant, Track
from roomscribe_common.ids import new_id
from roomscribe_common.servers import LocalServer
from roomscribe_common.servers.parent import bound_to_parent
from roomscribe_media_ingest.domain.config import AudioConfig
from roomscribe_media_ingest.domain.segmenter import Pcm
from roomscribe_media_ingest.domain.utterance import Outgoing, TrackMeta

TENANT = "local"
WORK, CONSUMER = "STT", "stt-worker-stt"
_CHUNK = AudioConfig().chunk_ms * 16
_MARGIN = 4_800
"""Workers decode so many samples beyond the end of speech, so it is said to end so much before the end of the clip."""
_AT_ONCE = 64
_READY_S = 60.0
_LOOK_S = 0.05
_END_S = 20.0


@dataclass(frozen=True)
class Queue:
    """A running server."""

    url: str
    nats_pid: int
    nc: Client
    bus: Bus

    async def store_audio(self, clips: Sequence[Pcm]) -> list[Outgoing]:
        """All chunks of one utterance for each clip; nobody works on them before `open`."""
        utterances = [_utterance(number, clip) for number, clip in enumerate(clips)]
        slots = asyncio.Semaphore(_AT_ONCE)

        async def store(utterance: Outgoing) -> None:
            async with slots:
                for chunk in utterance.chunks:
                    headers = chunk.headers.to_headers()
                    headers[MSG_ID] = f"{chunk.headers.utterance_id}:{chunk.headers.seq}"
                    await self.bus.publish_bytes(utterance.subject, chunk.body, headers)

        async with asyncio.TaskGroup() as group:
            for utterance in utterances:
                group.create_task(store(utterance))
        return utterances

    async def open(self, utterances: Sequence[Outgoing]) -> None:
        """Publishes their work items, all at once."""
        async with asyncio.TaskGroup() as group:
            for utterance in utterances:
                group.create_task(self.bus.publish(utterance.opened()))

    async def workers_wait(self, count: int) -> None:
        """Returns once so many workers ask for work and there is none."""
        async with asyncio.timeout(_READY_S):
            while True:
                info = await self.bus.js.consumer_info(WORK, CONSUMER)
                if (info.num_waiting or 0) >= count and not info.num_pending and not info.num_ack_pending:
                    return
                await asyncio.sleep(_LOOK_S)


def _utterance(number: int, clip: Pcm) -> Outgoing:
    name = new_id("utt")
    now = datetime.now(UTC)
    meta = TrackMeta(
        TENANT,
        f"mtg_{number % 8}",
        "bench",
        1,
        now,
        Participant(identity="p", name="P"),
        Track(id="TR_1", source="microphone"),
    )
    utterance = Outgoing(TENANT, meta.utterance(name, 0))
    for at in range(0, len(clip), _CHUNK):
        rest = len(clip) - at - _CHUNK
        end = None if rest > 0 else len(clip) - _MARGIN
        utterance.append(clip[at : at + _CHUNK].tobytes(), sent_at_ms=round(time.time() * 1000), speech_end=end)
    return utterance


@asynccontextmanager
async def own_queue() -> AsyncGenerator[Queue]:
    """A server of its own, its streams empty. Ended when the block is left."""
    async with AsyncExitStack() as ends:
        folder = ends.enter_context(tempfile.TemporaryDirectory(prefix="roomscribe-bench-", ignore_cleanup_errors=True))
        server = LocalServer(servers.nats(Path(folder, "nats")), servers.obtain("nats", print))
        server.start()
        ends.callback(server.stop)
        server.wait_ready()
        nc = await connection.connect(server.url, "benchmarks")
        ends.push_async_callback(connection.close, nc)
        js = nc.jetstream(timeout=10)  # pyright: ignore[reportUnknownMemberType]  # untyped keywords
        await streams.apply(js)
        yield Queue(server.url, server.pid, nc, Bus(nc, js, "benchmarks"))


@asynccontextmanager
async def worker(queue: Queue, threads: int) -> AsyncGenerator[int]:
    """One stt-worker with so many decode threads; its process id."""
    settings = {
        "ROOMSCRIBE_NATS_URL": queue.url,
        "ROOMSCRIBE_STT_THREADS": str(threads),
        "ROOMSCRIBE_LOG_LEVEL": "warning",
    }
    command = bound_to_parent([sys.executable, "-m", "roomscribe_stt_worker"], signal="TERM")
    process = await asyncio.create_subprocess_exec(*command, env=os.environ | settings)
    try:
        yield process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _END_S)
        except TimeoutError:
            process.kill()
            await process.wait()
