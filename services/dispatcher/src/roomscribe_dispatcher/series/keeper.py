"""Starts and ends series, and keeps the next meetings of each in existence.

Every step may be interrupted at any line and taken again: a meeting's id follows from its series and its moment, it is
claimed only while the series is as it was read, and the series changes last.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from roomscribe_common import logs
from roomscribe_common.boundary import one_of_many
from roomscribe_common.contracts.commands import Done, EndMeeting, EndSeries, SeriesView, StartSeries
from roomscribe_common.contracts.series import SeriesEndReason
from roomscribe_common.errors import ProblemError, Retryable

from roomscribe_dispatcher import requests
from roomscribe_dispatcher.catalog import Catalog
from roomscribe_dispatcher.domain import Meeting
from roomscribe_dispatcher.handlers import Dispatcher
from roomscribe_dispatcher.lifecycle import Lifecycle
from roomscribe_dispatcher.series import domain
from roomscribe_dispatcher.series.domain import Series
from roomscribe_dispatcher.series.store import SeriesHistory, SeriesStore
from roomscribe_dispatcher.settings import DispatcherSettings

log = logging.getLogger(__name__)

_TRIES: Final = 20
_CLAIMED_S: Final = 5.0
"""Whoever claims a series makes its meetings at once; if it died in between, somebody looks after so long."""
_ONE_SERIES_S: Final = 15.0


async def rebuild(store: SeriesStore, history: SeriesHistory) -> None:
    """Make the wanted series whole from the stream. What Redis has stays as it is."""
    for series in await history.wanted():
        await store.claim(series, datetime.now(UTC), rebuilding=True)


class SeriesKeeper:
    """All calls raise `Retryable` when a server does not answer."""

    def __init__(
        self,
        store: SeriesStore,
        history: SeriesHistory,
        catalog: Catalog,
        lifecycle: Lifecycle,
        dispatcher: Dispatcher,
        settings: DispatcherSettings,
    ) -> None:
        self._store = store
        self._history = history
        self._catalog = catalog
        self._lifecycle = lifecycle
        self._dispatcher = dispatcher
        self._settings = settings

    async def start(self, command: StartSeries) -> SeriesView:
        """Attend a room again and again. Raises `ProblemError`."""
        settings, now = self._settings, datetime.now(UTC)
        requests.check(command.spec, command.empty_room_timeout_s, settings)
        asked = domain.requested(command, now, settings.dispatcher_empty_room_timeout_s)
        wrong = domain.wrong_series(asked, now)
        found = None if wrong is None else await self._store.keyed(command.tenant, command.idempotency_key)
        if wrong is not None and found is None:
            raise requests.invalid(wrong)
        found = found or await self._claim(asked)
        series = found or asked
        if not series.over:
            await self._tend(series)
        return series.view(self._coming(series, now), created=found is None)

    async def end(self, command: EndSeries) -> Done:
        """Cancel what is scheduled of it. A meeting that is on goes on. Raises `ProblemError` if there is no such."""
        series = await self._find(command.tenant, command.series_id)
        if series is None:
            detail = f"There is no series {command.series_id}."
            raise ProblemError.of("series-not-found", 404, "No such series", detail)
        ending = await self._change(series, lambda known: known.model_copy(update={"ending": True}))
        if not ending.over:
            await self._cancel(ending)
        return Done()

    async def run(self, stopping: asyncio.Event) -> None:
        """Looks at each series whose next meeting is to be made, until stopped; see `Watch.run`."""
        tick_s = self._settings.dispatcher_tick_s
        while not stopping.is_set():
            try:
                await self._catalog.ensure_ready()
                for series in await self._store.due(_ONE_SERIES_S + tick_s):
                    await self._look(series)
            except Retryable as error:
                log.warning("series not looked at", extra={"reason": error.reason})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(tick_s):
                    await stopping.wait()

    async def _look(self, series: Series) -> None:
        about = logs.bound(tenant=series.tenant, series=series.id)
        with about, one_of_many(log, "series not tended, trying again"):
            async with asyncio.timeout(_ONE_SERIES_S):
                await self._tend(series)

    async def _tend(self, series: Series) -> None:
        if series.ending:
            return await self._cancel(series)
        await self._lifecycle.once(domain.requested_event(series))
        now = datetime.now(UTC)
        coming = self._coming(series, now)
        for moment in coming.moments:
            made = series.made_until is not None and moment <= series.made_until
            if not made and not await self._make(series, moment, now):
                return None
        if coming.exhausted(now):
            return await self._conclude(series, "completed")
        last = coming.moments[-1] if coming.moments else series.made_until
        await self._store.put(series.model_copy(update={"made_until": last}), coming.check_at(now))
        return None

    async def _make(self, series: Series, moment: datetime, now: datetime) -> bool:
        """Schedule the meeting unless there is, or was, such. False if the series has changed, so it must not be."""
        meeting = await self._meeting_at(series, moment)
        if meeting is None:
            meeting = domain.occurrence(series, moment, now)
            claimed = await self._catalog.claim(meeting, series.version)
            if claimed == "stale":
                return False
            meeting = claimed if isinstance(claimed, Meeting) else meeting
        if not meeting.over:
            await self._lifecycle.announce(meeting)  # whoever claimed it may have died before it was said
        return True

    async def _cancel(self, series: Series) -> None:
        await self._lifecycle.once(domain.requested_event(series))
        for moment in self._coming(series, datetime.now(UTC)).moments:
            meeting = await self._meeting_at(series, moment)
            if meeting is not None and meeting.state == "scheduled":
                await self._dispatcher.end(EndMeeting(tenant=series.tenant, meeting_id=meeting.id))
        await self._conclude(series, "requested")

    async def _conclude(self, series: Series, reason: SeriesEndReason) -> None:
        await self._lifecycle.once(domain.ended_event(series, reason, datetime.now(UTC)))
        await self._change(series, lambda known: known.model_copy(update={"state": "ended"}))
        log.info("series ended", extra={"series": series.id, "tenant": series.tenant, "reason": reason})

    async def _meeting_at(self, series: Series, moment: datetime) -> Meeting | None:
        return await self._catalog.find(series.tenant, domain.occurrence_id(series, moment))

    def _coming(self, series: Series, now: datetime) -> domain.Coming:
        settings = self._settings
        return domain.coming(series, now, settings.dispatcher_occurrences_ahead, settings.dispatcher_max_late_s)

    async def _find(self, tenant: str, series_id: str) -> Series | None:
        found = await self._store.get(tenant, series_id)
        if found is not None:
            return found
        restored = await self._history.series(tenant, series_id)
        if restored is None or restored.over:
            return restored
        answer = await self._store.claim(restored, datetime.now(UTC), rebuilding=True)
        return answer if isinstance(answer, Series) else restored

    async def _claim(self, series: Series) -> Series | None:
        """None if it is new and stored; else the one that has its key or its id."""
        check_at = datetime.now(UTC) + timedelta(seconds=_CLAIMED_S)
        answer = await self._store.claim(series, check_at)
        if answer == "cold":
            await self._catalog.ensure_ready()
            answer = await self._store.claim(series, check_at)
        if answer == "cold":
            raise Retryable("Redis lost what it was told")
        return None if answer == "created" else answer

    async def _change(self, series: Series, decide: Callable[[Series], Series]) -> Series:
        """What is stored after `decide`, which may be called several times, each time with a newer copy."""
        known: Series | None = series
        for _ in range(_TRIES):
            if known is None:
                raise Retryable(f"series {series.id} is gone")
            changed = decide(known)
            if known.over or changed == known:
                return known
            written = await self._store.put(changed, datetime.now(UTC) + timedelta(seconds=_CLAIMED_S))
            if written is not None:
                return written
            known = await self._find(series.tenant, series.id)
        raise Retryable(f"series {series.id} changes too fast", delay_s=0.2)
