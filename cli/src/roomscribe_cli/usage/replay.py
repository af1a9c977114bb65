"""`roomscribe usage replay`: a file of evidence becomes a ledger, as JSON or as tables."""

import sys
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.table import Table
from rich.text import Text
from roomscribe_usage_metering.domain.connections import BILLED_KINDS, Connection
from roomscribe_usage_metering.domain.lines import instant
from roomscribe_usage_metering.domain.presence import presence_ms
from roomscribe_usage_metering.domain.sessions import Session
from roomscribe_usage_metering.replay.replaying import Replay, json_of

from roomscribe_cli.pricing.output import fail

_ROWS = 40
"""In a table; JSON has them all."""
_MAY_WRAP = ("identity", "participant", "job")


def run(file: Path, kinds: frozenset[str], *, strict: bool, as_json: bool) -> None:
    """Reads, derives and prints. Bad lines go to standard error; with `strict` the first one ends it, with status 2."""
    replay = Replay(BILLED_KINDS | kinds)
    with _opened(file) as evidence:
        for bad in replay.read(evidence):
            if strict:
                fail("usage replay", f"line {bad.number}: {bad.why}")
            sys.stderr.write(f"line {bad.number}: {bad.why}\n")
    connections, sessions = replay.connections(), replay.sessions()
    if as_json:
        sys.stdout.writelines(json_of(connections, sessions))
    else:
        _show(Console(), connections, sessions)


def _opened(file: Path) -> BinaryIO:
    if str(file) == "-":
        return sys.stdin.buffer
    try:
        return file.open("rb")
    except OSError as error:
        fail("usage replay", f"{file} cannot be read: {error.strerror}")


def _show(console: Console, connections: list[Connection], sessions: list[Session]) -> None:
    table = _table("Connections", "identity", "kind", "participant", "from (UTC)", "lasted", "until", "minutes")
    for one in connections[:_ROWS]:
        figures = one.identity, one.kind, one.participant_sid, _time(one.start_ms), _lasted(one.duration_ms)
        table.add_row(*map(_text, figures), _basis(one.basis), str(one.to_line().steps))
    console.print(table)
    _rest(console, len(connections), sum(one.to_line().steps for one in connections), "connections")
    there = sum(presence_ms(connections).values())
    console.print(
        f"People and agents were there for {_lasted(there)}; their connections lasted "
        f"{_lasted(sum(one.duration_ms for one in connections))}.",
        style="dim",
    )
    table = _table("Agent sessions", "job", "participant", "from (UTC)", "lasted", "until", "minutes")
    for session in sessions[:_ROWS]:
        lasted = _lasted(session.end_ms - session.start_ms)
        figures = session.job_id, session.participant_sid, _time(session.start_ms), lasted
        table.add_row(*map(_text, figures), _basis(session.basis), str(session.to_line().steps))
    console.print(table)
    _rest(console, len(sessions), sum(one.to_line().steps for one in sessions), "agent sessions")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, header_style="dim")
    for name in columns:
        figure = name in ("lasted", "minutes")
        table.add_column(name, justify="right" if figure else "left", no_wrap=name not in _MAY_WRAP)
    return table


def _rest(console: Console, count: int, minutes: int, of: str) -> None:
    hidden = f"; {count - _ROWS:,} more in --json" if count > _ROWS else ""
    console.print(f"{count:,} {of}, {minutes:,} minutes billed{hidden}.", style="bold")


def _text(figure: str) -> Text:
    """What stands in a file is not to move the cursor."""
    return Text("".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in figure))


def _basis(basis: str) -> str:
    return basis.replace("_", " ")


def _time(ms: int) -> str:
    return f"{instant(ms):%Y-%m-%d %H:%M:%S}"


def _lasted(ms: int) -> str:
    minutes, rest = divmod(ms, 60_000)
    return f"{minutes // 60:,}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"
