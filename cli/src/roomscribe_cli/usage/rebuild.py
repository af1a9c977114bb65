"""`roomscribe usage rebuild`: periods derived anew from the evidence in the database, and compared."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from roomscribe_common.settings import redact
from roomscribe_usage_metering.accounts import BadAccounts
from roomscribe_usage_metering.pricing.books import BadPriceBook
from roomscribe_usage_metering.rebuild import Verification, verify
from sqlalchemy.exc import SQLAlchemyError

from roomscribe_cli.pricing.output import fail
from roomscribe_cli.usage.database import opened, url_of

_COMMAND = "usage rebuild"


def run(database: str | None, state: Path | None, *, must_hold: bool, as_json: bool) -> None:
    """Reads the whole database, changes nothing. With `must_hold` what does not hold is exit status 1."""
    url = url_of(_COMMAND, database, state)
    try:
        found = asyncio.run(_verified(url))
    except (SQLAlchemyError, OSError) as error:
        fail(_COMMAND, f"{redact(url)} cannot be read: {error!r}")
    except (BadAccounts, BadPriceBook) as error:
        fail(_COMMAND, str(error))
    if as_json:
        print(json.dumps({"ok": found.ok, **asdict(found)}, indent=2))
    else:
        show_verification(Console(), found)
    if must_hold and not found.ok:
        raise typer.Exit(1)


async def _verified(url: str) -> Verification:
    async with opened(url) as (engine, tariffs):
        return await verify(engine, tariffs)


def show_verification(console: Console, found: Verification) -> None:
    """Each period with its digests, then what was read, what does not hold, and what could not be compared."""
    table = Table("tenant", "period", "closed with", "entries have", "evidence gives", "", box=None, header_style="dim")
    for one in found.periods:
        mark = Text("same", style="green") if one.ok else Text("NOT THE SAME", style="bold red")
        table.add_row(one.tenant, one.period, one.closed[:12] or "open", one.booked[:12], one.derived[:12], mark)
    if found.periods:
        console.print(table)
    else:
        console.print("Nothing is booked yet.")
    console.print(f"{found.events:,} events in {found.chains:,} chains, {found.meetings:,} meetings.")
    for chain in found.broken:
        console.print(Text(f"The chain {chain} does not hold.", style="bold red"))
    differ = [f"In {one.period} of {one.tenant}: {line}." for one in found.periods for line in one.differ]
    for said in (*differ, *(f"Wrong: {one}." for one in found.wrong)):
        console.print(Text(said, style="bold red"))
    for said in found.left_out:
        console.print(Text(f"Not compared: {said}.", style="dim"))
    console.print(Text("Everything holds." if found.ok else "The books and the evidence disagree.", style="bold"))
