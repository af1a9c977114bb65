"""The part of the composition root that tells others: exports, webhooks, alerts, forecasts and comparisons."""

import os
import time
from collections.abc import Callable, Iterator, Mapping

import aiohttp
from roomscribe_common.contracts.invoices import CompareForecast, Comparison, Forecast, GetForecast
from roomscribe_common.service import Service, StartFailed
from roomscribe_common.subjects import COMPARE, FORECAST
from sqlalchemy.ext.asyncio import AsyncEngine

from roomscribe_usage_metering.accounts import Account, Accounts
from roomscribe_usage_metering.adapters.outbox import Outbox
from roomscribe_usage_metering.adapters.tariffs import Tariffs
from roomscribe_usage_metering.alerts.anomalies import Limits
from roomscribe_usage_metering.alerts.drift import DriftLook
from roomscribe_usage_metering.alerts.meetings import Meetings
from roomscribe_usage_metering.alerts.nodes import readers
from roomscribe_usage_metering.alerts.tenants import Tenants
from roomscribe_usage_metering.alerts.watch import Watch
from roomscribe_usage_metering.comparing import Comparing
from roomscribe_usage_metering.exports.cursors import Cursors
from roomscribe_usage_metering.exports.feeds import EventFeed, LedgerFeed
from roomscribe_usage_metering.exports.receivers import BadReceivers, read_receivers
from roomscribe_usage_metering.exports.sender import Sender, Tools, posting
from roomscribe_usage_metering.exports.webhooks import BadSecret, SignedWebhook
from roomscribe_usage_metering.forecasting import Forecasts
from roomscribe_usage_metering.invoicing import Invoicing
from roomscribe_usage_metering.pricing.books import Books
from roomscribe_usage_metering.settings import Settings

_POST_TIMEOUT_S = 20.0
_LEASE_MS = 60_000
"""Longer than a request and what is noted of it."""


def tell(service: Service[Settings], engine: AsyncEngine, tariffs: Tariffs, invoicing: Invoicing, books: Books) -> None:
    """Starts all of it. Raises `StartFailed` for files and secrets that cannot be used."""
    session = aiohttp.ClientSession()
    service.on_close(session.close)
    forecasts = Forecasts(engine, tariffs, invoicing)
    _answer(service, forecasts, Comparing(engine, tariffs, invoicing, books))
    _send(service, engine, tariffs, session)
    _watch(service, engine, tariffs, forecasts, session)


def _answer(service: Service[Settings], forecasts: Forecasts, comparing: Comparing) -> None:
    async def forecast(command: GetForecast) -> Forecast:
        return await forecasts.forecast(command, _now_ms())

    async def compare(command: CompareForecast) -> Comparison:
        return await comparing.compare(command, _now_ms())

    service.reply(FORECAST, forecast, GetForecast)
    service.reply(COMPARE, compare, CompareForecast)


def _send(service: Service[Settings], engine: AsyncEngine, tariffs: Tariffs, session: aiohttp.ClientSession) -> None:
    cursors = Cursors(engine, service.settings.instance, _LEASE_MS)
    tools = Tools(cursors, posting(session, _POST_TIMEOUT_S), service.meter)
    path = service.settings.usage_exports
    try:
        sinks = read_receivers(path) if path is not None else []
    except BadReceivers as error:
        raise StartFailed(f"{error} (ROOMSCRIBE_USAGE_EXPORTS)") from error
    for sink in sinks:
        service.spawn(f"export {sink.label}", Sender(sink, LedgerFeed(engine, tariffs), tools).run())
    try:
        webhooks = signed_webhooks(tariffs.accounts, os.environ)
    except BadSecret as error:
        raise StartFailed(f"{error} (ROOMSCRIBE_USAGE_ACCOUNTS)") from error
    for webhook in webhooks:
        service.spawn(webhook.name, Sender(webhook, EventFeed(Outbox(engine)), tools).run())


def signed_webhooks(accounts: Accounts, environment: Mapping[str, str]) -> list[SignedWebhook]:
    """The accounts' webhooks. The default account's are told of everybody who has no account of their own.

    Raises `BadSecret` for a variable that is not set, or holds no such key.
    """
    found = [*_webhooks("", accounts.default, lambda tenant: tenant not in accounts.tenants, environment)]
    for name, account in accounts.tenants.items():
        found += _webhooks(name, account, name.__eq__, environment)
    return found


def _webhooks(
    name: str, account: Account, takes: Callable[[str], bool], environment: Mapping[str, str]
) -> Iterator[SignedWebhook]:
    for webhook in account.webhooks:
        try:
            yield SignedWebhook.of(name, webhook.url, environment.get(webhook.secret_env, ""), takes)
        except BadSecret as error:
            raise BadSecret(f"the variable {webhook.secret_env} of a webhook {error}") from error


def _watch(
    service: Service[Settings],
    engine: AsyncEngine,
    tariffs: Tariffs,
    forecasts: Forecasts,
    session: aiohttp.ClientSession,
) -> None:
    settings = service.settings
    limits = Limits(
        alone_ms=settings.usage_alone_min * 60_000,
        session_ms=settings.usage_long_session_h * 3_600_000,
        reconnects=settings.usage_reconnects,
    )
    nodes = readers(session, settings.usage_node_metrics.split(",") if settings.usage_node_metrics else [])
    looks = [
        Meetings(engine, tariffs, limits).look,
        Tenants(engine, tariffs, forecasts).look,
        DriftLook(engine, nodes, settings.usage_period_grace_s, service.meter).look,
    ]
    service.spawn("watch", Watch(Outbox(engine), looks, settings.usage_watch_every_s).run())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
