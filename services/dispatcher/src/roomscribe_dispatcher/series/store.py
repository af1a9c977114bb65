"""The series: in Redis, with the scripts of the meetings; and in the MEETINGS stream, which is the truth."""

from collections.abc import Awaitable
from datetime import datetime
from typing import Final, Literal, cast

from nats.aio.client import Client
from nats.js import JetStreamContext
from redis.asyncio import Redis
from roomscribe_common.contracts.series import SeriesEnded, SeriesRequested
from roomscribe_common.told import all_events, last_event

from roomscribe_dispatcher.adapters.redis import asking_redis
from roomscribe_dispatcher.adapters.store import KEPT_S, PREFIX, READY, SERIES, script
from roomscribe_dispatcher.events import SOURCE
from roomscribe_dispatcher.series.domain import Series, restored

_WANTED: Final = f"{PREFIX}series-wanted"
_NO_ROOM: Final = f"{PREFIX}no-room"
"""A series takes no room and counts as no agent: its meetings do."""
_AT_ONCE: Final = 100


class SeriesStore:
    """The read model in Redis. Every call raises `Retryable` when Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._claim = redis.register_script(script("caps", "claim"))
        self._put = redis.register_script(script("caps", "put"))
        self._due = redis.register_script(script("due"))

    async def claim(
        self, series: Series, check_at: datetime, *, rebuilding: bool = False
    ) -> Series | Literal["created", "cold"]:
        """Store a new series, unless its idempotency key or its id has one: then that one is returned."""
        own = _key(series.tenant, series.id)
        key = series.idempotency_key
        idempotency = own if key is None else _idempotency_key(series.tenant, key)
        keys = [READY, own, _NO_ROOM, _WANTED, idempotency, _NO_ROOM, _NO_ROOM, own, own]
        args = [
            series.tenant,
            series.id,
            series.model_dump_json(),
            series.version,
            _member(series),
            check_at.timestamp(),
            KEPT_S,
            f"{SERIES}{series.tenant}:",
            "1" if rebuilding else "0",
            "1",
            SERIES,
            0,
            0,
            0,
        ]
        with asking_redis():
            reply = cast(list[str], await self._claim(keys, args))
        match reply:
            case ["found", record]:
                return Series.model_validate_json(record)
            case ["cold"]:
                return "cold"
            case _:
                return "created"

    async def get(self, tenant: str, series_id: str) -> Series | None:
        """The series, if Redis has it."""
        with asking_redis():
            record = await cast(Awaitable[str | None], self._redis.hget(_key(tenant, series_id), "record"))
        return None if record is None else Series.model_validate_json(record)

    async def keyed(self, tenant: str, idempotency_key: str | None) -> Series | None:
        """The series that was asked for under that key, if Redis has it."""
        if idempotency_key is None:
            return None
        with asking_redis():
            series_id = await cast(Awaitable[str | None], self._redis.get(_idempotency_key(tenant, idempotency_key)))
        return None if series_id is None else await self.get(tenant, series_id)

    async def put(self, series: Series, check_at: datetime) -> Series | None:
        """Replace the series by a changed copy of what was read; None if somebody else did so first."""
        written = series.model_copy(update={"version": series.version + 1})
        args = [
            series.version,
            written.model_dump_json(),
            series.tenant,
            series.id,
            _member(series),
            check_at.timestamp(),
            "over" if series.over else "scheduled",
            KEPT_S,
            SERIES,
            0,
            0,
        ]
        keys = [_key(series.tenant, series.id), _NO_ROOM, _WANTED, _NO_ROOM, _NO_ROOM]
        with asking_redis():
            reply = cast(list[str], await self._put(keys, args))
        return written if reply == ["written"] else None

    async def due(self, for_s: float) -> list[Series]:
        """The series to be looked at now. No other replica is given them in the next `for_s`."""
        with asking_redis():
            records = cast(list[str], await self._due([_WANTED], [_AT_ONCE, for_s, SERIES]))
        return [Series.model_validate_json(record) for record in records]


class SeriesHistory:
    """Reads series from the stream. Every call raises `Retryable` when it does not answer."""

    def __init__(self, nc: Client, js: JetStreamContext) -> None:
        self._nc = nc
        self._js = js

    async def wanted(self) -> list[Series]:
        """The series that were requested of a dispatcher and have not ended."""
        over = {(event.tenant, event.data.series_id) async for event in all_events(self._nc, SeriesEnded)}
        return [
            restored(event)
            async for event in all_events(self._nc, SeriesRequested)
            if event.source == SOURCE and (event.tenant, event.data.series_id) not in over
        ]

    async def series(self, tenant: str, series_id: str) -> Series | None:
        """One series; None if no dispatcher was ever asked for it."""
        request = await last_event(self._js, SeriesRequested, tenant, series_id)
        if request is None or request.source != SOURCE:
            return None
        over = await last_event(self._js, SeriesEnded, tenant, series_id) is not None
        return restored(request).model_copy(update={"state": "ended" if over else "active"})


def _idempotency_key(tenant: str, key: str) -> str:
    return f"{PREFIX}series-idempotency:{tenant}:{key}"


def _member(series: Series) -> str:
    return f"{series.tenant}:{series.id}"


def _key(tenant: str, series_id: str) -> str:
    return f"{SERIES}{tenant}:{series_id}"
