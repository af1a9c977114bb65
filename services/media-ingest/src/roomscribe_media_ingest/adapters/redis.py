"""Redis, with the parts of its client whose types are not whole."""

from redis.asyncio import Redis


def client(url: str, timeout_s: float) -> Redis:
    """A client that connects when it is first used; no call of it takes much longer than `timeout_s`."""
    return Redis.from_url(  # pyright: ignore[reportUnknownMemberType]  # its **kwargs have no type
        url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s
    )


async def ping(redis: Redis) -> None:
    """Raises `redis.RedisError` or `OSError` if it does not answer."""
    await redis.ping()  # pyright: ignore[reportUnknownMemberType]  # its **kwargs have no type
