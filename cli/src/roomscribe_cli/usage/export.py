"""`roomscribe usage export`: a tenant's period as a file, for spreadsheets, warehouses and FinOps tools."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from roomscribe_common.contracts.billing import InvoiceData
from roomscribe_common.errors import ProblemError
from roomscribe_common.settings import redact
from roomscribe_usage_metering.accounts import BadAccounts
from roomscribe_usage_metering.adapters.database import snapshot
from roomscribe_usage_metering.adapters.entries import Entries
from roomscribe_usage_metering.adapters.tariffs import Tariffs
from roomscribe_usage_metering.domain.lines import instant
from roomscribe_usage_metering.exports.entries_table import entries_table
from roomscribe_usage_metering.exports.focus import Bounds, focus_table
from roomscribe_usage_metering.exports.tables import Table, write_csv, write_parquet
from roomscribe_usage_metering.invoicing import Invoicing
from roomscribe_usage_metering.pricing.books import BadPriceBook
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from roomscribe_cli.pricing.output import fail
from roomscribe_cli.usage.database import opened, url_of

_COMMAND = "usage export"
Format = Literal["csv", "parquet", "focus-csv", "focus-parquet"]
_WRITERS: dict[str, Callable[[Table, Path], None]] = {"csv": write_csv, "parquet": write_parquet}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose which period, in which form; `issuer` stands on FOCUS rows."""

    tenant: str
    period: str
    form: Format
    issuer: str


def run(wanted: Wanted, out: Path, database: str | None, state: Path | None) -> None:
    """Writes the file; a half-written one never has its name."""
    url = url_of(_COMMAND, database, state)
    try:
        table = asyncio.run(_table(url, wanted))
        _write(table, wanted.form, out)
    except SQLAlchemyError as error:
        fail(_COMMAND, f"{redact(url)} cannot be read: {error!r}")
    except OSError as error:
        fail(_COMMAND, f"cannot write {out}: {error.strerror}")
    except (BadAccounts, BadPriceBook) as error:
        fail(_COMMAND, str(error))
    except ProblemError as error:
        fail(_COMMAND, error.problem.detail)
    print(f"{len(table.rows)} rows in {out}")


def _write(table: Table, form: Format, out: Path) -> None:
    part = out.with_name(f".{out.name}.part")
    try:
        _WRITERS[form.removeprefix("focus-")](table, part)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


async def _table(url: str, wanted: Wanted) -> Table:
    async with opened(url) as (engine, tariffs):
        if wanted.form in ("csv", "parquet"):
            tariffs.account(wanted.tenant).calendar.named(wanted.period)
            return entries_table(await Entries(engine).of_period(wanted.tenant, wanted.period))
        return await _focus(engine, tariffs, wanted)


async def _focus(engine: AsyncEngine, tariffs: Tariffs, wanted: Wanted) -> Table:
    invoicing, now_ms = Invoicing(engine, tariffs), time.time_ns() // 1_000_000

    def read(connection: Connection) -> tuple[list[InvoiceData], Bounds]:
        documents = invoicing.read(connection, wanted.tenant, wanted.period, now_ms)
        timeline = tariffs.timeline(connection, wanted.tenant)

        def bounds(name: str) -> tuple[datetime, datetime]:
            period = timeline.named(name)
            return instant(period.start_ms), instant(period.end_ms)

        return [documents.invoice, *documents.credit_notes], bounds

    async with snapshot(engine) as connection:
        documents, bounds = await connection.run_sync(read)
    return focus_table(wanted.tenant, documents, bounds, wanted.issuer)
