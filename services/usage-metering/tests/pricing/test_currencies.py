"""Amounts of different currencies are never added or compared."""

from typing import Any

import pytest
from roomscribe_common.contracts.pricing.estimate import Estimate
from roomscribe_common.contracts.pricing.price_book import PriceBook
from roomscribe_common.contracts.pricing.request import EstimateRequest
from roomscribe_common.errors import ProblemError
from roomscribe_usage_metering.pricing.books import Books, built_in
from roomscribe_usage_metering.pricing.estimating import estimate

from .asking import ARTICLE, DAY, SCALE, other
from .test_price_books import BOOK


def with_yen(**changes: object) -> Books:
    """The package's books and a contract in yen, as from the folder of price books."""
    return built_in().with_book(PriceBook.model_validate({**BOOK, "currency": "JPY", **changes}))


def asked(books: Books, **changes: Any) -> Estimate:
    return estimate(EstimateRequest.model_validate({**ARTICLE, **changes}), books, DAY)


def test_a_chosen_plan_in_another_currency_is_refused_with_both() -> None:
    with pytest.raises(ProblemError) as refused:
        asked(with_yen(), plan="acme-contract")
    [error] = refused.value.problem.errors
    assert (refused.value.problem.status, error.field) == (422, "plan")
    for words in ("acme-contract has its prices in JPY", "`currency`", "is USD"):
        assert words in error.detail


def test_a_plan_in_another_currency_is_never_the_cheapest_nor_crossed() -> None:
    cheap = with_yen(versions=[{"version": "a", "base": "1", "rates": BOOK["versions"][0]["rates"]}])
    answer = asked(cheap, plan=None)
    assert (answer.plan, answer.currency) == (SCALE, "USD")
    assert all("acme-contract" not in (one.below, one.above) for one in answer.break_evens)
    assert all("acme-contract" not in one.plans for one in answer.meter_break_evens)


def test_an_alternative_in_another_currency_has_no_total_that_could_be_ranked() -> None:
    mixed = other(asked(with_yen()), "acme-contract")
    assert (mixed.total, mixed.difference, mixed.per_meeting) == (None, None, None)
    assert mixed.why == [
        "not comparable: its prices are in JPY, those of this estimate in USD",
        "no total: the request's rates in USD would be part of it",
    ]


def test_its_own_total_is_told_if_nothing_of_another_currency_is_in_it() -> None:
    free = {"stt": {"usd_per_minute": "0"}}
    alone = other(asked(with_yen(), **free), "acme-contract")
    assert (alone.total, alone.why[-1]) == (None, "its own total is JPY 819.92")
    own = other(asked(with_yen(), **free, own_agents={"usd_per_month": "7"}), "acme-contract+own-agents")
    assert own.why[-1] == "no total: the request's rates in USD would be part of it"


def test_building_is_not_set_against_buying_in_another_currency() -> None:
    bot = next(book for book in built_in() if book.id == "recall-ai")
    books = built_in().with_book(bot.model_copy(update={"currency": "EUR"}))
    assert asked(built_in(), build={"effort_usd": "1"}).build_or_buy
    assert asked(books, build={"effort_usd": "1"}).build_or_buy == []
    own = next(book for book in built_in() if book.id == "self-hosted")
    ways = asked(built_in().with_book(own.model_copy(update={"currency": "EUR"})), build={"effort_usd": "1"})
    assert {one.option for one in ways.build_or_buy} == {SCALE, f"{SCALE}+own-agents"}


def test_without_a_hosted_plan_in_the_currency_one_must_be_named() -> None:
    books = Books(book.model_copy(update={"currency": "EUR"}) for book in built_in() if book.kind == "livekit-cloud")
    with pytest.raises(ProblemError, match="no hosted plan has prices in `currency` USD"):
        asked(books, plan=None)
