"""The price file: list prices with their source and date."""

from decimal import Decimal
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict
from roomscribe_common.contracts.usage import DecimalText, Meter

from roomscribe_usage_metering.domain.pricing import Price, PriceBook

BookName = Literal["livekit-ship", "livekit-scale"]


class _Price(BaseModel):
    model_config = ConfigDict(extra="forbid")

    unit_price: DecimalText
    note: str


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    source: str
    read_on: str
    currency: str
    books: dict[BookName, dict[Meter, _Price]]
    notes: list[str]


def load_book(name: BookName) -> PriceBook:
    """The named book of the file that comes with the package."""
    text = files("roomscribe_usage_metering.adapters").joinpath("prices.json").read_text("utf-8")
    parsed = _File.model_validate_json(text)
    prices: dict[Meter, Price] = {
        meter: Price(Decimal(p.unit_price), p.note) for meter, p in parsed.books[name].items()
    }
    return PriceBook(name, parsed.currency, prices, (f"Prices: {parsed.source}.", *parsed.notes))
