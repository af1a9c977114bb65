"""The meetings in Redis: who has which room, which are wanted, and when each is to be looked at next.

All of it can be lost: the MEETINGS stream holds the truth, `Catalog` restores from it. The braces in the keys keep them
on one node of a Redis cluster, as the scripts need them.
"""

from collections.abc import Awaitable
from datetime import datetime
from importlib import resources
from typing import Final, Literal, cast

from redis.asyncio import Redis

from roomscribe_dispatcher.adapters.redis import asking_redis
from roomscribe_dispatcher.domain import Meeting

_PREFIX: Final = "rs:{dispatcher}:"
_READY: Final = f"{_PREFIX}ready"
_WANTED: Final = f"{_PREFIX}wanted"
_MEETINGS: Final = f"{_PREFIX}meeting:"
_KEPT_S: Final = 86_400
"""How long a meeting that is over, and an idempotency key, are remembered."""
_AT_ONCE: Final = 500


def _script(name: str) -> str:
    return resources.files("roomscribe_dispatcher.adapters").joinpath("scripts", f"{name}.lua").read_text("utf-8")


class MeetingStore:
    """The dispatcher's read model. Every call raises `Retryable` when Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._claim = redis.register_script(_script("claim"))
        self._put = redis.register_script(_script("put"))
        self._due = redis.register_script(_script("due"))

    async def claim(
        self, meeting: Meeting, check_at: datetime, *, rebuilding: bool = False
    ) -> Meeting | Literal["created", "cold", "foreign"]:
        """Store a new meeting, unless its room, its idempotency key or its id has one: then that one is returned.

        A scheduled meeting takes its room only when its time has come. `foreign`: another tenant's meeting has the
        room, which one that is restored while `rebuilding` may share: it had the room before.
        `cold`: Redis came back empty and the wanted set must be rebuilt first.
        """
        own = _meeting_key(meeting)
        key = meeting.idempotency_key
        idempotency = own if key is None else f"{_PREFIX}idempotency:{meeting.tenant}:{key}"
        args = [
            meeting.tenant,
            meeting.id,
            meeting.model_dump_json(),
            meeting.version,
            _member(meeting),
            check_at.timestamp(),
            _KEPT_S,
            f"{_MEETINGS}{meeting.tenant}:",
            "1" if rebuilding else "0",
            "1" if meeting.state == "scheduled" else "0",
            _MEETINGS,
        ]
        keys = [_READY, own, _room_key(meeting.spec.room), _WANTED, idempotency]
        with asking_redis():
            reply = cast(list[str], await self._claim(keys, args))
        match reply:
            case ["found", record]:
                return Meeting.model_validate_json(record)
            case ["cold"]:
                return "cold"
            case ["foreign"]:
                return "foreign"
            case _:
                return "created"

    async def get(self, tenant: str, meeting_id: str) -> Meeting | None:
        """The meeting, if Redis has it."""
        with asking_redis():
            record = await cast(Awaitable[str | None], self._redis.hget(f"{_MEETINGS}{tenant}:{meeting_id}", "record"))
        return None if record is None else Meeting.model_validate_json(record)

    async def put(self, meeting: Meeting, check_at: datetime) -> Meeting | Literal["changed", "taken"]:
        """Replace the meeting by a changed copy of what was read.

        `changed`: somebody else did so first. `taken`: another meeting, of any tenant, has its room. One that is no
        longer scheduled takes its room, one that is over gives it free.
        """
        written = meeting.model_copy(update={"version": meeting.version + 1})
        args = [
            meeting.version,
            written.model_dump_json(),
            meeting.tenant,
            meeting.id,
            _member(meeting),
            check_at.timestamp(),
            _hold(meeting),
            _KEPT_S,
            _MEETINGS,
        ]
        with asking_redis():
            answer = await self._put([_meeting_key(meeting), _room_key(meeting.spec.room), _WANTED], args)
        if answer == 1:
            return written
        return "taken" if answer == 2 else "changed"

    async def due(self, for_s: float) -> list[Meeting]:
        """The wanted meetings to be looked at now. No other replica is given them in the next `for_s`."""
        with asking_redis():
            records = cast(list[str], await self._due([_WANTED], [_AT_ONCE, for_s, _MEETINGS]))
        return [Meeting.model_validate_json(record) for record in records]

    async def in_room(self, room: str) -> list[tuple[str, str]]:
        """The tenant and id of each wanted meeting in a room."""
        with asking_redis():
            found = await cast(Awaitable[dict[str, str]], self._redis.hgetall(_room_key(room)))
        return list(found.items())

    async def is_ready(self) -> bool:
        """Whether the wanted set was rebuilt since Redis was last empty."""
        with asking_redis():
            return bool(await self._redis.exists(_READY))

    async def set_ready(self) -> None:
        """The wanted set is whole."""
        with asking_redis():
            await self._redis.set(_READY, "1")


def _hold(meeting: Meeting) -> Literal["scheduled", "over", "room"]:
    if meeting.over:
        return "over"
    return "scheduled" if meeting.state == "scheduled" else "room"


def _member(meeting: Meeting) -> str:
    return f"{meeting.tenant}:{meeting.id}"


def _meeting_key(meeting: Meeting) -> str:
    return f"{_MEETINGS}{_member(meeting)}"


def _room_key(room: str) -> str:
    return f"{_PREFIX}room:{room}"
