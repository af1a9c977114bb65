"""The composition root: what is built, and what it listens to."""

import logging
from typing import Final

from roomscribe_common.contracts.agent import AgentJoined, AgentLeft
from roomscribe_common.contracts.commands import EndMeeting, EndSeries, StartMeeting, StartSeries
from roomscribe_common.contracts.livekit import LivekitEvent
from roomscribe_common.delivery import Delivery
from roomscribe_common.lease import Leases
from roomscribe_common.service import Service
from roomscribe_common.subjects import END_MEETING, END_SERIES, START_MEETING, START_SERIES

from roomscribe_dispatcher.adapters import redis as redis_adapter
from roomscribe_dispatcher.adapters.history import History
from roomscribe_dispatcher.adapters.livekit import Livekit, LivekitUnusable
from roomscribe_dispatcher.adapters.store import MeetingStore
from roomscribe_dispatcher.catalog import Catalog
from roomscribe_dispatcher.domain import Policy
from roomscribe_dispatcher.handlers import Dispatcher
from roomscribe_dispatcher.lifecycle import Lifecycle
from roomscribe_dispatcher.series import keeper
from roomscribe_dispatcher.series.keeper import SeriesKeeper
from roomscribe_dispatcher.series.store import SeriesHistory, SeriesStore
from roomscribe_dispatcher.settings import DispatcherSettings
from roomscribe_dispatcher.watch import Watch
from roomscribe_dispatcher.watchdog import Watchdog
from roomscribe_dispatcher.worker.wiring import build_worker

log = logging.getLogger(__name__)

AGENTS: Final = "dispatcher-meetings"
WEBHOOKS: Final = "dispatcher-livekit"
_AT_ONCE: Final = 8


async def build(service: Service[DispatcherSettings]) -> None:
    """Wires the dispatcher to the bus. Takes commands only once the wanted set is whole."""
    settings = service.settings
    redis = redis_adapter.client(settings.redis_url)
    service.on_close(redis.aclose)
    await redis_adapter.wait_until_reachable(redis, settings.redis_url, settings.start_timeout_s)
    service.check("redis", lambda: redis_adapter.ping(redis))
    livekit = _livekit(service)
    policy = Policy(
        settings.dispatcher_placement_timeout_s,
        settings.dispatcher_max_attempts,
        settings.dispatcher_lasting_s,
        settings.dispatcher_flush_timeout_s,
        settings.dispatcher_join_early_s,
        settings.dispatcher_max_late_s,
    )
    tick_s = settings.dispatcher_tick_s
    store, history = MeetingStore(redis, settings.caps), History(service.nc, service.js)
    leases = Leases(redis, policy.placement_s)
    all_series, series_history = SeriesStore(redis), SeriesHistory(service.nc, service.js)
    catalog = Catalog(
        store,
        history,
        leases,
        policy.placement_s,
        tick_s,
        join_early_s=policy.join_early_s,
        first=lambda: keeper.rebuild(all_series, series_history),
    )
    lifecycle = Lifecycle(service.bus, service.js, catalog, leases, livekit, policy)
    dispatcher = Dispatcher(service.bus, store, catalog, lifecycle, settings)
    series = SeriesKeeper(all_series, series_history, catalog, lifecycle, dispatcher, settings)
    watch = Watch(store, catalog, history, leases, lifecycle, dispatcher, policy, settings)
    await catalog.rebuild()
    service.reply(START_MEETING, dispatcher.start, StartMeeting)
    service.reply(END_MEETING, dispatcher.end, EndMeeting)
    service.reply(START_SERIES, series.start, StartSeries)
    service.reply(END_SERIES, series.end, EndSeries)
    service.consume(AGENTS, dispatcher.agent_joined, AgentJoined, concurrency=_AT_ONCE)
    service.consume(AGENTS, dispatcher.agent_left, AgentLeft, concurrency=_AT_ONCE)
    arrivals = await build_worker(service, dispatcher, catalog, redis) if livekit is not None else None

    async def webhook(event: LivekitEvent, delivery: Delivery) -> None:
        await dispatcher.room_event(event, delivery)
        if arrivals is not None:
            await arrivals(event)

    service.consume(WEBHOOKS, webhook, LivekitEvent)
    service.spawn("watch", watch.run(service.stopping))
    if livekit is not None:
        watchdog = Watchdog(store, lifecycle, livekit, settings.instance, settings.dispatcher_watchdog_s)
        service.spawn("watchdog", watchdog.run(service.stopping))
    service.spawn("series", series.run(service.stopping))


def _livekit(service: Service[DispatcherSettings]) -> Livekit | None:
    settings = service.settings
    if not settings.livekit_url:
        log.warning("ROOMSCRIBE_LIVEKIT_URL is not set: no meeting can be started")
        return None
    livekit = Livekit(settings.livekit_url, settings.livekit_api_key, settings.livekit_api_secret.get_secret_value())
    service.check("livekit", livekit.ping)
    service.spawn("livekit at start", _warn_if_unusable(livekit))
    return livekit


async def _warn_if_unusable(livekit: Livekit) -> None:
    """LiveKit may come later than we do, so this ends nothing; `/readyz` goes on asking."""
    try:
        await livekit.ping()
    except LivekitUnusable as error:
        log.error("livekit cannot be used", extra={"reason": error.reason, "detail": str(error)})
