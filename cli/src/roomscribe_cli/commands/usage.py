"""`roomscribe usage`: what was used, why it is billed as it is, and what it will come to."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

_RUNNING = "current"


class Form(StrEnum):
    """What a file may hold."""

    csv = "csv"
    parquet = "parquet"
    focus_csv = "focus-csv"
    focus_parquet = "focus-parquet"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    usage = typer.Typer(no_args_is_help=True, help="Ledgers: replayed, explained, billed and forecast.")
    usage.callback()(_about)
    for command in (replay, invoice, explain, compare, forecast, rebuild, export):
        usage.command()(command)
    app.add_typer(usage, name="usage")


def _about() -> None:
    """Ledgers: replayed, explained, billed and forecast."""


def replay(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.jsonl", help="Evidence, one object a line; - reads it from standard input.")
    ],
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first bad line, with status 2.")] = False,
    kind: Annotated[
        list[str] | None, typer.Option(help="A further kind of participant to bill, as CONNECTOR; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the ledger as JSON.")] = False,
) -> None:
    """Derive a ledger from webhooks, polls and heartbeats in a file; no database is touched.

    Any order and any repetition of the lines give the same ledger. A bad line is named by number and left out.
    """
    from roomscribe_cli.usage.replay import run

    run(file, frozenset(kind or ()), strict=strict, as_json=as_json)


Period = Annotated[str, typer.Argument(metavar="PERIOD", help="As 2026-11; the one that runs now by default.")]
Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
State = Annotated[Path | None, typer.Option(help="State folder of the stack to ask.")]


def invoice(
    period: Period = _RUNNING,
    out: Annotated[
        Path | None, typer.Option(help="Write it to a file instead: .pdf, .csv or .json, by the file's name.")
    ] = None,
    as_json: Json = False,
    state: State = None,
) -> None:
    """Show an invoice, or its draft: lines, credit notes, and what each meeting bears of it."""
    from roomscribe_cli.usage.invoice import run

    run(period, out, as_json=as_json, state=state)


def explain(
    line: Annotated[str, typer.Argument(help="`line_id` of an invoice's line; with --meeting, of the meeting's.")],
    meeting: Annotated[str | None, typer.Option(help="The meeting whose line it is.")] = None,
    period: Annotated[
        str, typer.Option(help="The invoice's, as 2026-11; the one that runs now by default.")
    ] = _RUNNING,
    after: Annotated[str | None, typer.Option(help="Go on behind this: what the page before ended with.")] = None,
    as_json: Json = False,
    state: State = None,
) -> None:
    """Walk from a line to the ledger's entries, to their ticks, to the events they rest on."""
    from roomscribe_cli.usage.explain import run

    run(_of(meeting, period), line, after, as_json=as_json, state=state)


def compare(
    period: Period = _RUNNING,
    meeting: Annotated[str | None, typer.Option(help="Compare for one meeting instead.")] = None,
    meetings: Annotated[str | None, typer.Option(help="How many were expected; 1 with --meeting.")] = None,
    minutes: Annotated[str | None, typer.Option(help="How long each was expected to be.")] = None,
    humans: Annotated[str | None, typer.Option(help="How many people were expected in each.")] = None,
    agents: Annotated[str | None, typer.Option(help="How many agents; 1 by default.")] = None,
    plan: Annotated[str | None, typer.Option(help="The price book's id that was expected.")] = None,
    request: Annotated[Path | None, typer.Option(help="A JSON file, as for POST /v1/estimates.")] = None,
    as_json: Json = False,
    state: State = None,
) -> None:
    """Set what was expected beside what was billed, and name the inputs that were off."""
    from roomscribe_common.contracts.pricing.request import EstimateRequest

    from roomscribe_cli.pricing.output import request_of
    from roomscribe_cli.usage.outlook import compare as run

    one = "1" if meeting is not None and request is None else None
    given = {"meetings": meetings or one, "minutes": minutes, "humans": humans, "agents": agents, "plan": plan}
    found = {name: value for name, value in given.items() if value is not None}
    run(
        _of(meeting, period), request_of("usage compare", EstimateRequest, request, found), as_json=as_json, state=state
    )


def forecast(
    period: Annotated[
        str | None, typer.Argument(metavar="PERIOD", help="As 2026-11; the one that runs now by default.")
    ] = None,
    as_json: Json = False,
    state: State = None,
) -> None:
    """Show what a running period will have cost, at the days' usual rate, with an interval."""
    from roomscribe_cli.usage.outlook import forecast as run

    run(period, as_json=as_json, state=state)


def rebuild(
    verify: Annotated[bool, typer.Option("--verify", help="End with status 1 if anything does not hold.")] = False,
    database: Annotated[
        str | None, typer.Option(help="Its URL; ROOMSCRIBE_DATABASE_URL, else the stack's own, by default.")
    ] = None,
    as_json: Json = False,
    state: Annotated[Path | None, typer.Option(help="State folder of the stack whose database it is.")] = None,
) -> None:
    """Derive every closed period anew from raw events, and check each link of their chains. Nothing is changed."""
    from roomscribe_cli.usage.rebuild import run

    run(database, state, must_hold=verify, as_json=as_json)


def export(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="File to write.")],
    tenant: Annotated[str, typer.Option(help="Whose use.")],
    period: Annotated[str, typer.Option(help="As 2026-11.")],
    form: Annotated[
        Form, typer.Option("--format", help="Entries of the ledger, or an invoice's lines in FOCUS 1.2.")
    ] = Form.csv,
    issuer: Annotated[str, typer.Option(help="Who issues the invoice, for FOCUS.")] = "Roomscribe",
    database: Annotated[
        str | None, typer.Option(help="Its URL; ROOMSCRIBE_DATABASE_URL, else the stack's own, by default.")
    ] = None,
    state: Annotated[Path | None, typer.Option(help="State folder of the stack whose database it is.")] = None,
) -> None:
    """Write what a tenant pays in a period to a file: for spreadsheets, warehouses and FinOps tools."""
    from roomscribe_cli.usage.export import Wanted, run

    run(Wanted(tenant, period, form.value, issuer), out, database, state)


def _of(meeting: str | None, period: str) -> str:
    kind, name, rest = ("invoices", period, "") if meeting is None else ("meetings", meeting, "/usage")
    return f"{kind}/{quote(name, safe='')}{rest}"
