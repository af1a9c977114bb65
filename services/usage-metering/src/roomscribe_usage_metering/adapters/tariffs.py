"""What each tenant's periods and prices are: as they were kept where they are closed, else as its account has them."""

import hashlib
import json
from collections.abc import Iterable
from functools import partial

from roomscribe_common.contracts.pricing.price_book import PriceBook, Version
from sqlalchemy import Connection, select, update

from roomscribe_usage_metering.accounts import Account, Accounts
from roomscribe_usage_metering.adapters.schema import ENTRY, MEETING, PERIOD, PRICE, TARIFF, write_in_turn
from roomscribe_usage_metering.adapters.writing import insert_into
from roomscribe_usage_metering.billing import PeriodTerms, PlanOf
from roomscribe_usage_metering.domain.periods import Fixed, Period, Timeline
from roomscribe_usage_metering.pricing.books import Books, Plan


class PriceChanged(ValueError):
    """A price book's version is not what use was booked at; the message names both."""


class Tariffs:
    """Accounts and price books, with what the database keeps of them."""

    def __init__(self, accounts: Accounts, books: Books) -> None:
        self._accounts = accounts
        self._books = books

    @property
    def accounts(self) -> Accounts:
        """All of them."""
        return self._accounts

    def account(self, tenant: str) -> Account:
        """The tenant's account."""
        return self._accounts.of(tenant)

    def timeline(self, connection: Connection, tenant: str) -> Timeline:
        """The tenant's periods."""
        account = self.account(tenant)
        rows = connection.execute(select(PERIOD).where(PERIOD.c.tenant == tenant))
        closed = [
            Fixed(Period(row.period, row.start_ms, row.end_ms), PeriodTerms.model_validate_json(row.terms).prices)
            for row in rows
        ]
        return Timeline(account.calendar, lambda day: self._books.source_on(account.plan_on(day), day), closed)

    def terms(self, connection: Connection, tenant: str, period: Period, timeline: Timeline) -> PeriodTerms:
        """What the period is rated on."""
        kept = select(PERIOD.c.terms).where(PERIOD.c.tenant == tenant, PERIOD.c.period == period.name)
        terms = connection.scalar(kept)
        if terms is not None:
            return PeriodTerms.model_validate_json(terms)
        account = self.account(tenant)
        return PeriodTerms(
            time_zone=account.time_zone,
            prices=tuple((span.start_ms, span.price) for span in timeline.spans_of(period)),
            charges=account.charges,
            use_model_credit=account.use_model_credit,
        )

    def plans(self, connection: Connection) -> PlanOf:
        """The plan of a `book@version`, of the books there are or as it was kept."""
        return partial(self._plan, connection)

    def _plan(self, connection: Connection, source: str) -> Plan:
        plan = self._books.of_source(source)
        if plan is not None:
            return plan
        kept = connection.scalar(select(PRICE.c.book).where(PRICE.c.source == source))
        if kept is None:
            raise LookupError(f"no price book {source}, and none was kept")
        book = PriceBook.model_validate_json(kept)
        return Plan(book, book.versions[0])

    def keep(self, connection: Connection, tenant: str, sources: Iterable[str]) -> None:
        """Keeps the terms that use is booked on: prices outlive their file, and a change of account is seen."""
        row = {"tenant": tenant, "fingerprint": self._fingerprint(tenant)}
        connection.execute(insert_into(connection, TARIFF).values(row).on_conflict_do_nothing())
        for source in sorted(set(sources)):
            plan = self._plan(connection, source)
            only = plan.book.model_copy(update={"versions": [plan.terms]})
            row = {"source": source, "book": only.model_dump_json()}
            connection.execute(insert_into(connection, PRICE).values(row).on_conflict_do_nothing())

    def settle(self, connection: Connection, tenants: Iterable[str]) -> None:
        """Marks what was booked in open periods on other terms than an account has now: it is booked anew."""
        write_in_turn(connection)
        for tenant in tenants:
            fingerprint = self._fingerprint(tenant)
            kept = connection.scalar(select(TARIFF.c.fingerprint).where(TARIFF.c.tenant == tenant))
            if kept == fingerprint:
                continue
            if kept is not None:
                first_open = self.timeline(connection, tenant).first_open
                touched = select(ENTRY.c.meeting_id).where(
                    ENTRY.c.tenant == tenant, ENTRY.c.of_period >= (first_open.name if first_open else "")
                )
                anew = update(MEETING).where(MEETING.c.tenant == tenant, MEETING.c.meeting_id.in_(touched))
                connection.execute(anew.values(booked_version=None, due_ms=0))
            row = insert_into(connection, TARIFF).values(tenant=tenant, fingerprint=fingerprint)
            changed = {"fingerprint": fingerprint}
            connection.execute(row.on_conflict_do_update(index_elements=[TARIFF.c.tenant], set_=changed))

    def is_settled(self, connection: Connection, tenant: str) -> bool:
        """Whether the tenant's open periods are booked on the terms its account has here."""
        kept = connection.scalar(select(TARIFF.c.fingerprint).where(TARIFF.c.tenant == tenant))
        return kept in (None, self._fingerprint(tenant))

    def _fingerprint(self, tenant: str) -> str:
        account = self.account(tenant)
        versions = {
            book.id: [[one.version, str(one.valid_from), str(one.valid_until)] for one in book.versions]
            for book in self._books
        }
        plans = [[str(one.from_), one.plan, versions[one.plan]] for one in account.plans]
        terms = json.dumps([account.time_zone, account.anchor_day, plans])
        return hashlib.sha256(terms.encode()).hexdigest()

    def check(self, connection: Connection) -> None:
        """Raises `PriceChanged` if a version's prices are not those that use was booked at."""
        for source, kept in connection.execute(select(PRICE.c.source, PRICE.c.book)):
            now, then = self._books.of_source(source), PriceBook.model_validate_json(kept)
            if now and _prices(now.book, now.terms) != _prices(then, then.versions[0]):
                raise PriceChanged(
                    f"the prices of {source} are not those use was booked at: prices of a version never change; "
                    "give the new ones a version of their own"
                )


def _prices(book: PriceBook, version: Version) -> tuple[object, ...]:
    rates = {meter: (one.included, one.unit_price, one.per) for meter, one in version.rates.items()}
    return book.currency, version.base, rates, version.hard_cap, version.model_credit
