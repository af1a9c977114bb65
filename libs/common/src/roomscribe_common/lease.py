"""One agent per meeting: a lease in Redis that is fenced by an epoch.

The dispatcher takes the next epoch and the lease, then sends the job; the room process of that epoch renews it. Three
keys: `rs:lease:{<meeting>}`, the epoch that holds the meeting, which expires; `rs:epoch:{<meeting>}`, the highest
epoch ever given, which outlives it; and `rs:heard:{<meeting>}`, what the last renewal said of what is heard. All are
compared and set in one script, so no process ever acts on a lower epoch.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, cast

from redis.asyncio import Redis

_EPOCH_KEPT_S: Final = 30 * 86_400

_HOLD: Final = """
local highest = tonumber(redis.call('GET', KEYS[2]) or '0')
local mine = tonumber(ARGV[1])
if highest > mine then return highest end
redis.call('SET', KEYS[2], mine, 'EX', ARGV[3])
redis.call('SET', KEYS[1], mine, 'PX', ARGV[2])
if ARGV[4] then redis.call('SET', KEYS[3], mine .. ' ' .. ARGV[4], 'EX', ARGV[3]) end
return mine
"""
# An expired lease is taken again as long as nobody was given a higher epoch: a Redis that was away, or came back empty,
# ends no meeting.

_RELEASE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

_NEXT: Final = """
local next = redis.call('INCR', KEYS[2])
redis.call('EXPIRE', KEYS[2], ARGV[1])
if ARGV[2] == '0' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], next, 'PX', ARGV[2]) end
return next
"""


@dataclass(frozen=True, slots=True)
class Heard:
    """What an epoch's agent said at its last renewal: all it heard `until` then was on the bus. At `said_at` that was
    a moment ago, or it was out of the room, or the bus does not keep up.
    """

    epoch: int
    until: datetime
    said_at: datetime


class Leases:
    """The leases of all meetings. Every call raises `redis.RedisError` when Redis cannot be asked."""

    def __init__(self, redis: Redis, ttl_s: float) -> None:
        """`ttl_s`: how long a renewed lease lasts without another renewal."""
        self._redis = redis
        self._ttl_s = ttl_s

    async def next_epoch(self, meeting_id: str, placement_s: float = 0) -> int:
        """A higher epoch than any before, from 1. Whoever holds the meeting with a lower one loses it by this.

        It holds the meeting for `placement_s`, the time its agent has to come. With 0 nobody holds it, and nobody can
        until a next one is taken: the end of the meeting.
        """
        return await self._run(_NEXT, meeting_id, _EPOCH_KEPT_S, round(placement_s * 1000))

    async def acquire(self, meeting_id: str, epoch: int, ttl_s: float | None = None) -> bool:
        """Take the meeting for `ttl_s` (the placement of its agent); False if a higher epoch was given."""
        return await self._hold(meeting_id, epoch, ttl_s or self._ttl_s) == epoch

    async def renew(
        self, meeting_id: str, epoch: int, heard_until: datetime | None = None, said_at: datetime | None = None
    ) -> int:
        """Hold the meeting for another `ttl_s`; returns the epoch in force: a higher one than `epoch` if it is lost.

        `heard_until`: all its agent heard until then is on the bus. `said_at`: now, by the clock that `heard_until` is
        of; without it the wall clock's, which may have been set back since.
        """
        said_at = said_at or datetime.now(UTC)
        said = () if heard_until is None else (f"{_unix_ms(heard_until)} {_unix_ms(said_at)}",)
        return await self._hold(meeting_id, epoch, self._ttl_s, *said)

    async def heard(self, meeting_id: str) -> Heard | None:
        """What the last renewal that said so said of what is heard."""
        value = await self._redis.get(_keys(meeting_id)[2])
        if value is None:
            return None
        epoch, until, said_at = map(int, value.split())
        return Heard(epoch, _time(until), _time(said_at))

    async def release(self, meeting_id: str, epoch: int) -> bool:
        """Give the meeting up; False if this epoch did not hold it."""
        return await self._run(_RELEASE, meeting_id, epoch) == 1

    async def current(self, meeting_id: str) -> int | None:
        """The epoch that holds the meeting now; None if nobody does."""
        value = await self._redis.get(_keys(meeting_id)[0])
        return None if value is None else int(value)

    async def holders(self, meeting_ids: Sequence[str]) -> dict[str, int]:
        """The epochs that hold these meetings now; a meeting that nobody holds is left out."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for meeting_id in meeting_ids:
                pipe.get(_keys(meeting_id)[0])
            values = cast(list[bytes | str | None], await pipe.execute())
        return {each: int(value) for each, value in zip(meeting_ids, values, strict=True) if value is not None}

    async def _hold(self, meeting_id: str, epoch: int, ttl_s: float, *heard: str) -> int:
        return await self._run(_HOLD, meeting_id, epoch, round(ttl_s * 1000), _EPOCH_KEPT_S, *heard)

    async def _run(self, script: str, meeting_id: str, *args: int | str) -> int:
        # redis-py types eval for the sync and the async client alike.
        keys = _keys(meeting_id)
        reply = self._redis.eval(script, len(keys), *keys, *(str(arg) for arg in args))
        return int(await cast(Awaitable[int], reply))


def _keys(meeting_id: str) -> tuple[str, str, str]:
    # The braces keep them on one node of a Redis cluster, as a script needs them.
    return f"rs:lease:{{{meeting_id}}}", f"rs:epoch:{{{meeting_id}}}", f"rs:heard:{{{meeting_id}}}"


def _unix_ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def _time(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms / 1000, UTC)
