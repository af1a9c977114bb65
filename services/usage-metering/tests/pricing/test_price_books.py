"""Price books: what is refused, by field, value and limit; and which prices hold on a day."""

import copy
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from roomscribe_common.errors import ProblemError
from roomscribe_usage_metering.adapters.price_books import load_books
from roomscribe_usage_metering.pricing.books import BadPriceBook, Books, built_in, read_book

BOOK: dict[str, Any] = {
    "schema": "price-book/1",
    "id": "acme-contract",
    "name": "Our contract",
    "kind": "livekit-cloud",
    "currency": "USD",
    "source": {"text": "the contract", "status": "contract"},
    "versions": [
        {
            "version": "a",
            "valid_until": "2026-07-01",
            "base": "100",
            "rates": {"agent_session_minutes": {"included": "10", "unit_price": "0.008"}},
        },
        {"version": "b", "valid_from": "2026-07-01", "base": "200", "rates": {}},
    ],
}


def changed(*path: str | int, to: object) -> str:
    """The book as text, with one value changed or added."""
    book = copy.deepcopy(BOOK)
    inner: Any = book
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = to
    return json.dumps(book)


def test_the_version_that_holds_is_found_by_the_day() -> None:
    books = Books([read_book(json.dumps(BOOK), "book")])
    assert books.plan("acme-contract", date(2026, 6, 30)).terms.version == "a"
    assert books.plan("acme-contract", date(2026, 7, 1)).terms.version == "b"


def test_versions_may_stand_in_any_order() -> None:
    text = changed("versions", to=BOOK["versions"][::-1])
    assert [one.version for one in read_book(text, "book").versions] == ["a", "b"]


REFUSED: list[tuple[str, str]] = [
    (
        changed("versions", 1, "valid_from", to="2026-06-15"),
        r"versions: version 'b' has valid_from 2026-06-15, which overlaps 'a': it must be 2026-07-01 or later",
    ),
    (
        changed("versions", 0, "valid_until", to=None),
        r"versions: version 'a' has no valid_until, so 'b' from 2026-07-01",
    ),
    (changed("versions", 1, "valid_until", to="2026-07-01"), r"versions.1: valid_until 2026-07-01 must be after"),
    (changed("versions", 1, "version", to="a"), r"versions: version 'a' occurs 2 times; each may occur once"),
    (changed("versions", to=[]), r"versions: .*at least 1"),
    (
        changed("versions", 0, "rates", "cups_of_tea", to={"unit_price": "1"}),
        r"versions.0.rates.cups_of_tea: unknown meter 'cups_of_tea'; the meters are webrtc_participant_minutes",
    ),
    (
        changed("versions", 0, "rates", "agent_session_minutes", "unit_price", to="-0.01"),
        r"versions.0.rates.agent_session_minutes.unit_price: must be 0 to 1000000; it is '-0.01'",
    ),
    (changed("versions", 0, "base", to="NaN"), r"versions.0.base: must be a number, 0 to 1000000; it is 'NaN'"),
    (changed("versions", 0, "base", to=float("nan")), r"versions.0.base: must be a number"),
    (changed("versions", 0, "base", to="Infinity"), r"versions.0.base: must be a number"),
    (changed("versions", 0, "base", to=10**30), r"versions.0.base: must be 0 to 1000000; it is 10+"),
    (changed("versions", 0, "base", to=True), r"versions.0.base: must be a number"),
    (changed("versions", 0, "base", to="0.1234567890123"), r"versions.0.base: must have at most 12 decimal places"),
    (
        changed("versions", 0, "base", to=0.1234567890123456),
        r"versions.0.base: has more than 15 digits: send it as text",
    ),
    (
        changed("versions", 0, "hard_cap", to=True),
        r"hard_cap is true, so rates.agent_session_minutes.unit_price must be",
    ),
    (changed("versions", 0, "price", to="1"), r"versions.0.price: unknown field"),
    (changed("versions", 0, "rates", "agent_session_minutes", "currency", to="EUR"), r"currency: unknown field"),
    (changed("currency", to="dollars"), r"currency: "),
    (changed("id", to="Acme Contract"), r"id: "),
    ('{"id": "a", "id": "b"}', r"a name occurs twice in one object"),
    ("{", r"is no price book"),
    ("[]", r"the file: "),
    ("[" * 100_000, r"is no price book"),
]


@pytest.mark.parametrize(("text", "why"), REFUSED, ids=range(len(REFUSED)))
def test_a_bad_book_is_refused_by_field_value_and_limit(text: str, why: str) -> None:
    with pytest.raises(BadPriceBook, match=why):
        read_book(text, "book")


def test_a_folder_adds_books_and_its_own_take_the_place_of_built_in_ones(tmp_path: Path) -> None:
    (tmp_path / "own.json").write_text(changed("id", to="livekit-cloud-scale"))
    books = load_books(tmp_path)
    assert books.plan("livekit-cloud-scale", date(2026, 6, 2)).terms.version == "a"
    assert len(list(books)) == len(list(built_in()))


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(BadPriceBook, match=r"bad\.json is no price book"):
        load_books(tmp_path)
    (tmp_path / "bad.json").write_bytes(b"\xff")
    with pytest.raises(BadPriceBook, match=r"bad\.json cannot be read"):
        load_books(tmp_path)
    with pytest.raises(BadPriceBook, match="is no folder"):
        load_books(tmp_path / "none")


def test_an_unknown_plan_and_a_day_without_prices_are_refused_by_field() -> None:
    with pytest.raises(ProblemError) as unknown:
        built_in().plan("livekit-cloud-free", date(2026, 6, 2))
    [error] = unknown.value.problem.errors
    assert error.field == "plan"
    assert "'livekit-cloud-free'; the plans are livekit-cloud-build" in error.detail
    early = Books([read_book(changed("versions", to=BOOK["versions"][1:]), "book")])
    with pytest.raises(ProblemError) as before:
        early.plan("acme-contract", date(2026, 6, 2))
    [error] = before.value.problem.errors
    assert error.field == "on"
    assert "no price on 2026-06-02; it has prices for 2026-07-01 to …" in error.detail


def test_every_built_in_book_says_where_its_prices_are_from() -> None:
    for book in built_in():
        assert book.source.text
        assert book.source.read_on or book.source.status == "placeholder"
