"""Tables as files: CSV and Parquet. Numbers are decimals in both, never floats."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path
from typing import Any, Literal

Kind = Literal["text", "whole", "decimal", "time"]
Value = str | int | Decimal | datetime | None
_DIGITS, _PLACES = 38, 18
_CONTEXT = Context(prec=_DIGITS, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Table:
    """Columns by name in their order, and rows that have a value for each."""

    columns: Mapping[str, Kind]
    rows: Sequence[Mapping[str, Value]]


def write_csv(table: Table, path: Path) -> None:
    """RFC 4180, UTF-8; nothing at all stands for null."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table.columns)
        for row in table.rows:
            writer.writerow([_cell(row[name]) for name in table.columns])


def _cell(value: Value) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case Decimal():
            return plain(value)
        case _:
            return _harmless(value) if isinstance(value, str) else str(value)


def _harmless(text: str) -> str:
    """A spreadsheet would run what begins like a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def plain(value: Decimal) -> str:
    """The number without exponent and trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def write_parquet(table: Table, path: Path) -> None:
    """Decimals of 38 digits with 18 places, times in UTC. Raises `ImportError` without the extra `parquet`."""
    # pyarrow has no types of its own, and is not there in the service.
    import pyarrow  # pyright: ignore[reportMissingTypeStubs]
    from pyarrow import parquet  # pyright: ignore[reportMissingTypeStubs]

    arrow: Any = pyarrow
    files: Any = parquet
    types: dict[Kind, Callable[[], Any]] = {
        "text": arrow.string,
        "whole": arrow.int64,
        "decimal": lambda: arrow.decimal128(_DIGITS, _PLACES),
        "time": lambda: arrow.timestamp("ms", tz="UTC"),
    }
    schema = arrow.schema([(name, types[kind]()) for name, kind in table.columns.items()])
    columns = {name: [_stored(row[name]) for row in table.rows] for name in table.columns}
    files.write_table(arrow.table(columns, schema=schema), path)


def _stored(value: Value) -> Value:
    return value.quantize(Decimal(1).scaleb(-_PLACES), context=_CONTEXT) if isinstance(value, Decimal) else value
