"""The composition root of usage-metering."""

import asyncio

from livekit.api import LiveKitAPI
from roomscribe_common.contracts.agent import AgentHeartbeat, AgentJoined, AgentLeft
from roomscribe_common.contracts.commands import GetMeetingUsage, GetPeriodUsage
from roomscribe_common.contracts.invoices import ExplainLine, GetInvoice
from roomscribe_common.contracts.livekit import LivekitEvent
from roomscribe_common.contracts.meeting import MeetingEnded, MeetingRequested, MeetingStarted
from roomscribe_common.contracts.pricing.cost_model import CostModelRequest
from roomscribe_common.contracts.pricing.price_book import PriceBook
from roomscribe_common.contracts.pricing.request import EstimateRequest
from roomscribe_common.contracts.stt import SttFinal
from roomscribe_common.contracts.usage import LlmUsage
from roomscribe_common.service import Service, StartFailed
from roomscribe_common.settings import redact
from roomscribe_common.subjects import COST_MODEL, ESTIMATE, EXPLAIN, INVOICE, MEETING_USAGE, PERIOD_USAGE
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from roomscribe_usage_metering.accounts import BadAccounts, load_accounts
from roomscribe_usage_metering.adapters import closes, database
from roomscribe_usage_metering.adapters.bookings import Bookings
from roomscribe_usage_metering.adapters.ledgers import Ledgers
from roomscribe_usage_metering.adapters.livekit_rooms import LivekitRooms
from roomscribe_usage_metering.adapters.outbox import Outbox
from roomscribe_usage_metering.adapters.period_usage import Periods
from roomscribe_usage_metering.adapters.price_books import load_books
from roomscribe_usage_metering.adapters.store import EvidenceStore
from roomscribe_usage_metering.adapters.tariffs import PriceChanged, Tariffs
from roomscribe_usage_metering.adapters.writer import EvidenceWriter
from roomscribe_usage_metering.closer import Closer, Times
from roomscribe_usage_metering.closing_periods import PeriodCloser, PeriodTimes
from roomscribe_usage_metering.explaining import Explaining
from roomscribe_usage_metering.handlers import Commands, Evidence, Invoices, Pricing
from roomscribe_usage_metering.invoicing import Invoicing
from roomscribe_usage_metering.poller import Poller
from roomscribe_usage_metering.pricing.books import BadPriceBook, Books
from roomscribe_usage_metering.publisher import Publisher
from roomscribe_usage_metering.settings import Settings
from roomscribe_usage_metering.telling import tell

NAME = "usage-metering"
_CONCURRENCY = 4
"""Messages of one consumer handled at once, so that they share commits."""
_LIVEKIT_TIMEOUT_S = 5.0
_LOOK_FOR_PERIODS_EVERY_S = 60.0


async def build(service: Service[Settings]) -> None:
    """Connects, builds and subscribes."""
    settings = service.settings
    engine = await _connect(settings)
    service.on_close(engine.dispose)
    service.check("database", lambda: database.ping(engine))
    store = EvidenceStore(engine, int(settings.usage_quiet_s * 1000))
    writer = EvidenceWriter(store, settings.usage_database_timeout_s)
    books, book = _prices(settings)
    ledgers = Ledgers(store, book)
    tariffs = await _tariffs(settings, engine, books)
    service.spawn("writer", writer.run())
    _consume(service, Evidence(writer))
    commands = Commands(ledgers, Periods(engine, tariffs, book))
    service.reply(MEETING_USAGE, commands.meeting, GetMeetingUsage)
    service.reply(PERIOD_USAGE, commands.period, GetPeriodUsage)
    pricing = Pricing(books)
    service.reply(ESTIMATE, pricing.estimate, EstimateRequest)
    service.reply(COST_MODEL, pricing.cost_model, CostModelRequest)
    look_every_s = min(1.0, settings.usage_quiet_s)
    times = Times(look_every_s, settings.usage_close_grace_s)
    service.spawn("closer", Closer(store, ledgers, Bookings(engine, tariffs), service.source, times).run())
    service.spawn("publisher", Publisher(Outbox(engine), service.bus.publish_bytes, look_every_s).run())
    _bill(service, engine, tariffs, books)
    _poll(service, store, writer)


def _bill(service: Service[Settings], engine: AsyncEngine, tariffs: Tariffs, books: Books) -> None:
    invoicing = Invoicing(engine, tariffs)
    times = PeriodTimes(_LOOK_FOR_PERIODS_EVERY_S, service.settings.usage_period_grace_s)
    service.spawn("periods", PeriodCloser(engine, tariffs, invoicing, service.source, times).run())
    invoices = Invoices(invoicing, Explaining(engine, tariffs, invoicing))
    service.reply(INVOICE, invoices.invoice, GetInvoice)
    service.reply(EXPLAIN, invoices.explain, ExplainLine)
    tell(service, engine, tariffs, invoicing, books)


def _prices(settings: Settings) -> tuple[Books, PriceBook]:
    try:
        books = load_books(settings.usage_price_books)
    except BadPriceBook as error:
        raise StartFailed(f"{error} (ROOMSCRIBE_USAGE_PRICE_BOOKS)") from error
    by_id = {book.id: book for book in books}
    if settings.usage_price_book not in by_id:
        known = ", ".join(by_id)
        raise StartFailed(f"no price book {settings.usage_price_book} (ROOMSCRIBE_USAGE_PRICE_BOOK); there are {known}")
    return books, by_id[settings.usage_price_book]


async def _tariffs(settings: Settings, engine: AsyncEngine, books: Books) -> Tariffs:
    try:
        accounts = load_accounts(settings.usage_accounts, books, settings.usage_price_book)
        tariffs = Tariffs(accounts, books)
        async with engine.begin() as connection:
            tenants = await connection.run_sync(closes.tenants)
            await connection.run_sync(tariffs.check)
            await connection.run_sync(tariffs.settle, tenants)
    except BadAccounts as error:
        raise StartFailed(f"{error} (ROOMSCRIBE_USAGE_ACCOUNTS)") from error
    except PriceChanged as error:
        raise StartFailed(f"{error} (ROOMSCRIBE_USAGE_PRICE_BOOKS)") from error
    return tariffs


def _consume(service: Service[Settings], evidence: Evidence) -> None:
    meetings = "usage-metering-meetings"
    service.consume(
        meetings, evidence.on_meeting, MeetingRequested, MeetingStarted, MeetingEnded, concurrency=_CONCURRENCY
    )
    service.consume(meetings, evidence.on_agent, AgentJoined, AgentHeartbeat, AgentLeft, concurrency=_CONCURRENCY)
    service.consume("usage-metering-stt-results", evidence.on_final, SttFinal, concurrency=_CONCURRENCY)
    service.consume("usage-metering-usage", evidence.on_tokens, LlmUsage, concurrency=_CONCURRENCY)
    service.consume("usage-metering-livekit", evidence.on_webhook, LivekitEvent, concurrency=_CONCURRENCY)


async def _connect(settings: Settings) -> AsyncEngine:
    engine = database.open_engine(settings.database_url, settings.usage_database_timeout_s)
    try:
        async with asyncio.timeout(settings.start_timeout_s):
            await _create_tables(engine)
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        await engine.dispose()
        where = redact(settings.database_url)
        raise StartFailed(f"database {where} (ROOMSCRIBE_DATABASE_URL) cannot be used: {error!r}") from error
    return engine


async def _create_tables(engine: AsyncEngine) -> None:
    while True:
        try:
            return await database.create_tables(engine)
        except OSError:  # it may be starting, as we are
            await asyncio.sleep(0.5)


def _poll(service: Service[Settings], store: EvidenceStore, writer: EvidenceWriter) -> None:
    settings = service.settings
    if settings.livekit_url is None or settings.livekit_api_key is None or settings.livekit_api_secret is None:
        return
    http = settings.livekit_url.replace("ws", "http", 1)
    api = LiveKitAPI(http, settings.livekit_api_key, settings.livekit_api_secret.get_secret_value())
    service.on_close(api.aclose)
    rooms = LivekitRooms(api, _LIVEKIT_TIMEOUT_S)
    service.spawn("poller", Poller(rooms, store, writer, service.source).run(settings.usage_poll_every_s))
