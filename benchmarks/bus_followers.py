"""Workers that decode nothing, as a process of its own: claim utterances and follow their audio as a real worker does.

Reads one `Order`; at the end of its input writes one `Followed`.
"""

import asyncio
import sys
import time
from datetime import UTC, datetime

import nats.errors
from nats.aio.msg import Msg
from pydantic import BaseModel
from roomscribe_common import connection
from roomscribe_common.contracts.audio import ChunkHeaders
from roomscribe_common.pull import BoundJetStream
from roomscribe_common.subjects import audio_subject, parse
from roomscribe_stt_worker.adapters.audio_reader import AudioReader
from roomscribe_stt_worker.claims import CONSUMER

from benchmarks.spread import spread

_STREAM = "STT"
_FETCH_S = 1.0


class Order(BaseModel):
    """Follow everything on this server."""

    nats: str


class Followed(BaseModel):
    """Milliseconds from the cut of a chunk to when it is here.

    `live`: of chunks that were cut when their utterance was followed already; `first`: of those before.
    """

    chunks: int
    utterances: int
    every: dict[str, float]
    live: dict[str, float]
    first: dict[str, float]
    claimed: dict[str, float]
    """From the publish of an utterance until it is claimed."""


class Followers:
    """One process that follows any number of utterances at a time."""

    def __init__(self, js: BoundJetStream) -> None:
        self._js = js
        self.live, self.first, self.claimed = list[float](), list[float](), list[float]()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Claims until cancelled."""
        pull = await self._js.bind(_STREAM, CONSUMER)
        while True:
            try:
                messages = await pull.fetch(1, timeout=_FETCH_S)
            except nats.errors.TimeoutError:
                continue
            for message in messages:
                task = asyncio.create_task(self._follow(message))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _follow(self, item: Msg) -> None:
        claimed_at_ms = time.time() * 1000
        self.claimed.append(1000 * (datetime.now(UTC) - item.metadata.timestamp).total_seconds())
        place = parse(item.subject)
        assert place.track is not None
        assert place.utterance is not None
        subject = audio_subject(place.tenant, place.meeting, place.track, place.utterance)
        async with AudioReader(self._js._nc, self._js, subject) as audio:  # pyright: ignore[reportPrivateUsage]  # the connection it was made with
            while True:
                message = await audio.next()
                now_ms = time.time() * 1000
                if message is None:
                    await item.in_progress()
                    continue
                chunk = ChunkHeaders.from_headers(message.headers)
                (self.live if chunk.sent_at_ms > claimed_at_ms else self.first).append(now_ms - chunk.sent_at_ms)
                if chunk.seq % 5 == 0:
                    await item.in_progress()
                if chunk.last:
                    break
        await item.ack()
        await self._js.purge_stream("AUDIO", subject=subject)


async def _follow(order: Order) -> None:
    nc = await connection.connect(order.nats, "followers")
    followers = Followers(BoundJetStream(nc))
    running = asyncio.create_task(followers.run())
    await asyncio.to_thread(sys.stdin.read)
    running.cancel()
    every = followers.live + followers.first
    followed = Followed(
        chunks=len(every),
        utterances=len(followers.claimed),
        every=spread(every, 1),
        live=spread(followers.live, 1),
        first=spread(followers.first, 1),
        claimed=spread(followers.claimed, 1),
    )
    print(followed.model_dump_json(), flush=True)
    await connection.close(nc)


def main() -> None:
    """Follows until the end of its input."""
    asyncio.run(_follow(Order.model_validate_json(sys.stdin.readline())))


if __name__ == "__main__":
    main()
