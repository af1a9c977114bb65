"""What replicas tell each other of dispatches, in Redis. If it is lost, the meetings in the stream still tell most."""

from typing import Final

from redis.asyncio import Redis

from roomscribe_dispatcher.adapters.redis import asking_redis

_DECIDED: Final = "rs:dispatch:decided:"
_TURN: Final = "rs:dispatch:turn"
_KEPT_S: Final = 86_400


class Marks:
    """Every call raises `Retryable` when Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def decided(self, origin: str) -> bool:
        """Whether a dispatch, or a room's session, had its meeting or was refused for good: never twice."""
        with asking_redis():
            return bool(await self._redis.exists(_DECIDED + origin))

    async def decide(self, origin: str) -> None:
        """It had."""
        with asking_redis():
            await self._redis.set(_DECIDED + origin, "1", ex=_KEPT_S)

    async def turn(self, for_s: float) -> bool:
        """Whether it is this replica's turn to look at the rooms; no other has one for so long."""
        with asking_redis():
            return bool(await self._redis.set(_TURN, "1", px=round(for_s * 1000), nx=True))
