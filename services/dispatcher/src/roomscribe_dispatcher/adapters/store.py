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
from roomscribe_dispatcher.caps import Caps, Full, Scope
from roomscribe_dispatcher.domain import Meeting

PREFIX: Final = "rs:{dispatcher}:"
READY: Final = f"{PREFIX}ready"
SERIES: Final = f"{PREFIX}series:"
KEPT_S: Final = 86_400
"""How long a meeting that is over, and an idempotency key, are remembered."""
_OWNERS: Final = f"{PREFIX}owner:"
_WANTED: Final = f"{PREFIX}wanted"
_MEETINGS: Final = f"{PREFIX}meeting:"
_COUNTED: Final = f"{PREFIX}counted"
_AT_ONCE: Final = 500


def script(*names: str) -> str:
    """The Lua of these files, one after the other."""
    folder = resources.files("roomscribe_dispatcher.adapters").joinpath("scripts")
    return "".join(folder.joinpath(f"{name}.lua").read_text("utf-8") for name in names)


class MeetingStore:
    """The dispatcher's read model. Every call raises `Retryable` when Redis does not answer."""

    def __init__(self, redis: Redis, caps: Caps | None = None) -> None:
        self._redis = redis
        self._caps = caps or Caps()
        self._claim = redis.register_script(script("caps", "claim"))
        self._put = redis.register_script(script("caps", "put"))
        self._due = redis.register_script(script("due"))
        self._lead = redis.register_script(script("lead"))

    async def claim(
        self, meeting: Meeting, check_at: datetime, *, rebuilding: bool = False, series_version: int = 0
    ) -> Meeting | Full | Literal["created", "cold", "foreign", "stale"]:
        """Store a new meeting, unless its room, its idempotency key or its id has one: then that one is returned.

        A scheduled meeting takes its room only when its time has come. `foreign`: another tenant's meeting has the
        room; `Full`: a cap is reached. One that is restored while `rebuilding` had the room, and counted, before.
        `cold`: Redis came back empty and the wanted set must be rebuilt first. `stale`: the meeting is of a series that
        changed since its `series_version` was read.
        """
        own = _meeting_key(meeting)
        key = meeting.idempotency_key
        idempotency = own if key is None else _idempotency_key(meeting.tenant, key)
        series = None if rebuilding else meeting.spec.series_id
        args = [
            meeting.tenant,
            meeting.id,
            meeting.model_dump_json(),
            meeting.version,
            _member(meeting),
            check_at.timestamp(),
            KEPT_S,
            f"{_MEETINGS}{meeting.tenant}:",
            "1" if rebuilding else "0",
            "1" if meeting.state == "scheduled" else "0",
            _MEETINGS,
            *self._limits(meeting),
            series_version,
        ]
        keys = [READY, own, _room_key(meeting.spec.room), _WANTED, idempotency, *_counted(meeting)]
        keys.append(own if series is None else f"{SERIES}{meeting.tenant}:{series}")
        keys.append(f"{_OWNERS}{meeting.id}")
        with asking_redis():
            reply = cast(list[str], await self._claim(keys, args))
        match reply:
            case ["found", record]:
                return Meeting.model_validate_json(record)
            case ["cold"]:
                return "cold"
            case ["foreign"]:
                return "foreign"
            case ["stale"]:
                return "stale"
            case ["full", scope, limit, used]:
                return Full(cast(Scope, scope), int(limit), int(used))
            case _:
                return "created"

    async def keyed(self, tenant: str, idempotency_key: str) -> Meeting | None:
        """The meeting that was asked for under that key, if Redis has it."""
        with asking_redis():
            meeting_id = await cast(Awaitable[str | None], self._redis.get(_idempotency_key(tenant, idempotency_key)))
        return None if meeting_id is None else await self.get(tenant, meeting_id)

    async def get(self, tenant: str, meeting_id: str) -> Meeting | None:
        """The meeting, if Redis has it."""
        with asking_redis():
            record = await cast(Awaitable[str | None], self._redis.hget(f"{_MEETINGS}{tenant}:{meeting_id}", "record"))
        return None if record is None else Meeting.model_validate_json(record)

    async def put(self, meeting: Meeting, check_at: datetime) -> Meeting | Full | Literal["changed", "taken"]:
        """Replace the meeting by a changed copy of what was read.

        `changed`: somebody else did so first. `taken`: another meeting, of any tenant, has its room. `Full`: a cap is
        reached. One that is no longer scheduled takes its room and counts, one that is over gives both free.
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
            KEPT_S,
            _MEETINGS,
            *self._limits(meeting),
        ]
        keys = [_meeting_key(meeting), _room_key(meeting.spec.room), _WANTED, *_counted(meeting)]
        with asking_redis():
            reply = cast(list[str], await self._put(keys, args))
        match reply:
            case ["written"]:
                return written
            case ["taken"]:
                return "taken"
            case ["full", scope, limit, used]:
                return Full(cast(Scope, scope), int(limit), int(used))
            case _:
                return "changed"

    async def due(self, for_s: float) -> list[Meeting]:
        """The wanted meetings to be looked at now. No other replica is given them in the next `for_s`."""
        with asking_redis():
            records = cast(list[str], await self._due([_WANTED], [_AT_ONCE, for_s, _MEETINGS]))
        return [Meeting.model_validate_json(record) for record in records]

    async def wanted(self) -> list[Meeting]:
        """All meetings that are neither over nor given up."""
        with asking_redis():
            members = await cast(Awaitable[list[str]], self._redis.zrange(_WANTED, 0, -1))  # pyright: ignore[reportUnknownMemberType]  # a bare Callable there
            async with self._redis.pipeline(transaction=False) as pipe:
                for member in members:
                    pipe.hget(f"{_MEETINGS}{member}", "record")
                records = cast(list[str | None], await pipe.execute())
        return [Meeting.model_validate_json(record) for record in records if record is not None]

    async def leads(self, who: str, for_s: float) -> bool:
        """Whether this replica, and no other for so long, compares the wanted meetings with LiveKit's rooms."""
        with asking_redis():
            return bool(await self._lead([f"{PREFIX}watchdog"], [who, round(for_s * 1000)]))

    async def in_room(self, room: str) -> list[tuple[str, str]]:
        """The tenant and id of each wanted meeting in a room."""
        with asking_redis():
            found = await cast(Awaitable[dict[str, str]], self._redis.hgetall(_room_key(room)))
        return list(found.items())

    async def is_ready(self) -> bool:
        """Whether the wanted set was rebuilt since Redis was last empty."""
        with asking_redis():
            return bool(await self._redis.exists(READY))

    async def set_ready(self) -> None:
        """The wanted set is whole."""
        with asking_redis():
            await self._redis.set(READY, "1")

    def _limits(self, meeting: Meeting) -> tuple[int, int]:
        return self._caps.overall, self._caps.of(meeting.tenant)


def _hold(meeting: Meeting) -> Literal["scheduled", "over", "room"]:
    if meeting.over:
        return "over"
    return "scheduled" if meeting.state == "scheduled" else "room"


def _member(meeting: Meeting) -> str:
    return f"{meeting.tenant}:{meeting.id}"


def _meeting_key(meeting: Meeting) -> str:
    return f"{_MEETINGS}{_member(meeting)}"


def _idempotency_key(tenant: str, key: str) -> str:
    return f"{PREFIX}idempotency:{tenant}:{key}"


def _counted(meeting: Meeting) -> tuple[str, str]:
    """Where it counts: of all tenants, and of its own."""
    return _COUNTED, f"{_COUNTED}:{meeting.tenant}"


def _room_key(room: str) -> str:
    return f"{PREFIX}room:{room}"
