"""Price books: those that come with the package, and those of whoever adds one."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from roomscribe_common.contracts.pricing.price_book import PriceBook, Version
from roomscribe_common.errors import field_name

from roomscribe_usage_metering.pricing.refusals import refused

ModelT = TypeVar("ModelT", bound=BaseModel)
SELF_HOSTED = "self-hosted"
RECORDING_BOT = "recall-ai"


class BadPriceBook(ValueError):
    """A file that is no valid price book; the message names each field, its value and its limit."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A book and the version of it that holds on a day."""

    book: PriceBook
    terms: Version

    @property
    def id(self) -> str:
        """The book's id."""
        return self.book.id

    @property
    def source(self) -> str:
        """`book@version`, as it stands on each rated line."""
        return f"{self.book.id}@{self.terms.version}"


class Books:
    """Books by id. A later one with the same id takes the earlier one's place."""

    def __init__(self, books: Iterable[PriceBook]) -> None:
        self._books = {book.id: book for book in books}

    def __iter__(self) -> Iterator[PriceBook]:
        return iter(self._books.values())

    def with_book(self, book: PriceBook) -> "Books":
        """These and one more."""
        return Books([*self, book])

    def plan(self, book_id: str, day: date, field: str = "plan") -> Plan:
        """The book's prices on that day. Raises `ProblemError` (422) naming `field` if there are none."""
        book = self._books.get(book_id)
        if book is None:
            raise refused(field, f"unknown plan {book_id!r}; the plans are {', '.join(self._books)}")
        terms = book.on(day)
        if terms is None:
            spans = ", ".join(f"{v.valid_from or '…'} to {v.valid_until or '…'}" for v in book.versions)
            raise refused("on", f"{book_id} has no price on {day}; it has prices for {spans}")
        return Plan(book, terms)

    def source_on(self, book_id: str, day: date) -> str:
        """`book@version` of the prices that hold on that day, or of the nearest ones where none do: use is booked at
        some price always. Raises `KeyError` for an unknown book."""
        book = self._books[book_id]
        begun = [one for one in book.versions if (one.valid_from or date.min) <= day]
        return Plan(book, begun[-1] if begun else book.versions[0]).source

    def of_source(self, source: str) -> Plan | None:
        """The plan of a `book@version`; None if there is no such book or version."""
        book_id, _, version = source.partition("@")
        book = self._books.get(book_id)
        found = [one for one in book.versions if one.version == version] if book else []
        return Plan(book, found[0]) if book and found else None

    def of_kind(self, kind: str, day: date) -> list[Plan]:
        """Every plan of a kind that has prices on that day."""
        plans = [(book, book.on(day)) for book in self if book.kind == kind]
        return [Plan(book, terms) for book, terms in plans if terms is not None]

    def hosted(self, day: date, currency: str) -> list[Plan]:
        """Every hosted plan in that currency that has prices on that day: those that can be compared."""
        return [plan for plan in self.of_kind("livekit-cloud", day) if plan.book.currency == currency]


def read_book(content: str, name: str) -> PriceBook:
    """The book in a JSON text. Raises `BadPriceBook`; `name` tells which text it was."""
    try:
        return parse(PriceBook, content)
    except ValueError as error:
        raise BadPriceBook(f"{name} is no price book: {error}") from error


def parse(model: type[ModelT], content: str) -> ModelT:
    """The model in a JSON text. Raises `ValueError` naming each field, its value and its limit."""
    try:
        return model.model_validate(json.loads(content, parse_constant=str, object_pairs_hook=_no_name_twice))
    except ValidationError as error:
        findings = [_finding(one["loc"], one["msg"]) for one in error.errors(include_url=False)]
        raise ValueError("\n  ".join(findings)) from error
    except RecursionError as error:
        raise ValueError(str(error)) from error


def _finding(place: tuple[int | str, ...], message: str) -> str:
    field = field_name(place) or "the file"
    return (
        f"{field}: {message.removeprefix('Value error, ').replace('Extra inputs are not permitted', 'unknown field')}"
    )


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f"a name occurs twice in one object: {', '.join(name for name, _ in pairs)[:100]}")
    return found


@cache
def built_in() -> Books:
    """The books that come with the package."""
    folder = files("roomscribe_usage_metering.pricing") / "data" / "books"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".json"))
    return Books(read_book((folder / name).read_text("utf-8"), name) for name in names)
