"""`roomscribe usage explain`: from a line to the entries it adds up, to their ticks, to the events they rest on."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import cast
from urllib.parse import quote

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from roomscribe_common.contracts.invoices import BookedEntry, EvidenceSeen, Explained, Tick

from roomscribe_cli.client import Gateway
from roomscribe_cli.pricing.words import UNITS, number
from roomscribe_cli.usage.asking import ask, print_json

_ROWS = 40
"""Of a kind on the terminal; --json has the page."""
_LONG_AGO_MS = 10**12
"""What is more is an instant, what is less a duration."""
_NAMED_ALREADY = frozenset({"kind", "room_sid", "participant_sid"})


async def explained(gateway: Gateway, of: str, line: str, after: str | None = None) -> Explained:
    """Why a line is what it is. `of` is `invoices/<period>` or `meetings/<id>/usage`."""
    given = {"cursor": after} if after else {}
    return Explained.model_validate_json(await gateway.get(f"/v1/{of}/lines/{quote(line, safe='')}", **given))


def run(of: str, line: str, after: str | None, *, as_json: bool, state: Path | None) -> None:
    """Shows the line."""
    found = ask("explain", state, lambda gateway: explained(gateway, of, line, after))
    if as_json:
        print_json(found)
    else:
        show_explained(Console(), found)


def show_explained(console: Console, found: Explained) -> None:
    """The sentence, then entries, ticks and events in tables: of an invoice's line those of its largest entry."""
    console.rule(Text(found.line_id), align="left")
    console.print(Text(found.summary))
    if found.entries:
        _entries(console, found.entries)
    of_one = None
    if any(one.entry for one in (*found.ticks, *found.events)):
        largest = max(found.entries, key=lambda entry: abs(entry.steps))
        of_one = largest.key
        console.print()
        console.rule(Text(f"its largest entry: {largest.line_id} of {largest.meeting_id}", style="dim"), align="left")
    if ticks := [tick for tick in found.ticks if tick.entry == of_one]:
        _ticks(console, ticks)
    if events := [event for event in found.events if event.entry == of_one]:
        _events(console, events)
    if left_out := [one for one in found.entries if one.ticks_left_out or one.events_left_out]:
        _left_out(console, left_out)
    if found.next_cursor is not None:
        console.print(Text(f"More of it: --after {found.next_cursor}", style="dim"))


def _left_out(console: Console, entries: Sequence[BookedEntry]) -> None:
    for one in entries[:_ROWS]:
        more = f"{one.ticks_left_out:,} more ticks and {one.events_left_out:,} more events of {one.line_id}"
        where = f"roomscribe usage explain {one.line_id} --meeting {one.meeting_id}"
        console.print(Text(f"This answer has not all: {more} are told by {where}", style="yellow"))
    _rest(console, len(entries))


def _entries(console: Console, entries: Sequence[BookedEntry]) -> None:
    table = _table("entries", "meeting", "line", "period", "version", "steps", "billed", "rests on")
    for one in entries[:_ROWS]:
        period = one.of_period if one.period == one.of_period else f"{one.of_period}, paid in {one.period}"
        billed = f"{number(one.billed)} {UNITS.get(one.billed_unit, one.billed_unit)}"
        basis = one.basis.replace("_", " ") + (", estimated" if one.quality == "estimated" else "")
        basis += "" if one.booked_at else " (not booked yet)"
        table.add_row(one.meeting_id, Text(one.line_id), period, str(one.version), f"{one.steps:,}", billed, basis)
    _print(console, table, len(entries))


def _ticks(console: Console, ticks: Sequence[Tick]) -> None:
    table = _table("ticks", "number", "at", "period")
    for one in ticks[:_ROWS]:
        table.add_row(str(one.number), f"{one.at:%Y-%m-%d %H:%M:%S.%f}"[:-3] + "Z", one.period)
    _print(console, table, len(ticks))


def _events(console: Console, events: Sequence[EvidenceSeen]) -> None:
    console.print(Text("events", style="bold"))
    for one in events[:_ROWS]:
        console.print(
            Text.assemble(
                (f" {one.stored_at:%H:%M:%S}Z ", "dim"),
                one.kind.replace("_", " "),
                (f"  {one.source} {one.id}  {one.chain} #{one.sequence} {one.hash[:8]}", "dim"),
            )
        )
        console.print(Padding(Text(said(one.fact)), (0, 0, 0, 11)))
    _rest(console, len(events))


def said(fact: Mapping[str, object]) -> str:
    """What an event says, in a line: without what it does not say, and with its instants as times."""
    told = [f"{name.removesuffix('_ms').replace('_', ' ')} {text}" for name, text in _texts(fact) if text]
    return ", ".join(told)


def _texts(fact: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in fact.items():
        if isinstance(value, list):
            yield name, "; ".join(said(cast(Mapping[str, object], one)) for one in cast(list[object], value))
        elif name.endswith("_ms") and isinstance(value, int):
            yield name, _clock(value) if value > _LONG_AGO_MS else f"{value:,} ms"
        elif name not in _NAMED_ALREADY and value not in (None, False, ""):
            yield name, "yes" if value is True else str(value)


def _clock(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%H:%M:%S}.{ms % 1000:03}Z"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, header_style="dim")
    for name in columns:
        table.add_column(
            name, justify="right" if name in ("number", "version", "steps", "billed") else "left", overflow="fold"
        )
    return table


def _print(console: Console, table: Table, count: int) -> None:
    console.print(table)
    _rest(console, count)


def _rest(console: Console, count: int) -> None:
    if count > _ROWS:
        console.print(Text(f"{count - _ROWS:,} more in --json", style="dim"))
