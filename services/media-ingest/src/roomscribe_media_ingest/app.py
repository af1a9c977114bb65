"""The composition root of a node."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from functools import partial

from redis.asyncio import Redis
from redis.exceptions import RedisError
from roomscribe_common.connection import Unreachable
from roomscribe_common.pull import WatchedPull
from roomscribe_common.service import Service
from roomscribe_common.settlement import Settlement

from roomscribe_media_ingest.adapters.redis import client, ping
from roomscribe_media_ingest.node.pool import WarmPool
from roomscribe_media_ingest.node.room_process import RoomProcess, fork_server
from roomscribe_media_ingest.node.supervisor import CONSUMER, Supervisor
from roomscribe_media_ingest.node.tallies import Tallies
from roomscribe_media_ingest.settings import IngestSettings

NAME = "media-ingest"
_ANSWERS_S = 15.0


async def build(service: Service[IngestSettings]) -> None:
    """Wires the node: Redis for readiness, the warm pool, the work queue."""
    settings = service.settings
    redis = await _redis(settings)
    service.on_close(redis.aclose)
    tallies = Tallies(service.meter)
    pool = WarmPool(partial(RoomProcess.start, fork_server(), settings), settings.ingest_warm)
    pull = await service.pull(CONSUMER)
    service.on_close(pull.unsubscribe)
    settlement = Settlement(service.bus, service.tracer, service.meter)
    supervisor = Supervisor(pull, settlement.settle, service.bus.publish, pool, tallies, settings)
    tallies.watch("roomscribe_ingest_rooms", "Meetings attended now", lambda: supervisor.rooms)
    tallies.watch("roomscribe_ingest_warm", "Room processes ready for a job", lambda: pool.warm)

    async def ping_pool() -> None:
        if pool.warm + supervisor.rooms == 0:
            raise ConnectionError("no room process is ready")

    service.check("redis", partial(ping, redis))
    service.check("room processes", ping_pool)
    service.check("work queue", partial(_ping_queue, pull, lambda: supervisor.full))
    service.spawn("pool", pool.run())
    service.before_stop(supervisor.retire)
    # Closed in reverse: claiming stops first, then the rooms leave, then the pool.
    service.on_close(supervisor.drain)
    service.spawn("jobs", supervisor.run())


async def _redis(settings: IngestSettings) -> Redis:
    redis = client(settings.redis_url, timeout_s=2)
    deadline = time.monotonic() + settings.start_timeout_s
    while True:
        try:
            await ping(redis)
            return redis
        except (RedisError, OSError) as error:
            if time.monotonic() > deadline:
                with contextlib.suppress(RedisError, OSError):
                    await redis.aclose()
                raise Unreachable("Redis", settings.redis_url, "redis_url", str(error)) from error
        await asyncio.sleep(0.2)


async def _ping_queue(pull: WatchedPull, full: Callable[[], bool]) -> None:
    age_s = time.monotonic() - pull.answered_at
    if age_s > _ANSWERS_S and not full():
        raise ConnectionError(f"{pull.consumer}: no answer for {age_s:.0f} s")
