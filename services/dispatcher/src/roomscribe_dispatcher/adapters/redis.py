"""The connection to Redis, with the parts of its client whose types are not whole."""

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError
from roomscribe_common.connection import Unreachable
from roomscribe_common.errors import Retryable

_CALL_S: Final = 2.0
_AGAIN_S: Final = 0.25


def client(url: str) -> Redis:
    """A client that connects when it is first used. A call is tried twice and takes a few seconds at most."""
    return Redis.from_url(  # pyright: ignore[reportUnknownMemberType]  # its **kwargs have no type
        url,
        decode_responses=True,
        socket_timeout=_CALL_S,
        socket_connect_timeout=_CALL_S,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.05), 1),
    )


async def ping(redis: Redis) -> None:
    """Raises `redis.RedisError` or `OSError` if it does not answer."""
    await redis.ping()  # pyright: ignore[reportUnknownMemberType]  # its **kwargs have no type


async def wait_until_reachable(redis: Redis, url: str, timeout_s: float) -> None:
    """Raises `Unreachable`, which names the address and the setting, after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            async with asyncio.timeout(max(0.1, deadline - time.monotonic())):
                return await ping(redis)
        except (RedisError, OSError, TimeoutError) as error:
            if time.monotonic() + _AGAIN_S >= deadline:
                raise Unreachable("Redis", url, "redis_url", str(error) or f"no answer in {timeout_s:g} s") from error
        await asyncio.sleep(_AGAIN_S)


@contextmanager
def asking_redis() -> Generator[None]:
    """A Redis that cannot be asked is a reason to try again later, not a fault of the message."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise Retryable(f"Redis did not answer: {type(error).__name__}") from error
