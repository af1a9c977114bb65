"""`roomscribe cost-model`: what a cluster of one's own costs, for one customer and for all, without a running stack."""

from pathlib import Path
from typing import Annotated, Any

import typer

from roomscribe_cli.pricing.output import fail, request_of, write_report

_GROUPS = ("demand", "capacity", "compute", "managed_monthly", "network", "commercial", "extras")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("cost-model")(cost_model)


def cost_model(
    inputs: Annotated[
        list[str] | None, typer.Option("--set", help="An input, as demand.total_users=500; may be repeated.")
    ] = None,
    cloud: Annotated[str | None, typer.Option(help="aws, azure or gcp: placeholder prices.")] = None,
    profile: Annotated[str | None, typer.Option(help="cost_model_page or meeting_notetaker.")] = None,
    shared: Annotated[bool, typer.Option("--shared", help="One cluster that all customers share.")] = False,
    build_effort: Annotated[
        str | None, typer.Option(help="USD once to build: after how many months it is back.")
    ] = None,
    request: Annotated[Path | None, typer.Option(help="A JSON file, as for POST /v1/cost-model.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
    report: Annotated[bool, typer.Option("--open", help="Write a page with plots, and open it.")] = False,
    out: Annotated[Path, typer.Option(help="Where --open writes.")] = Path("roomscribe-cost-model.html"),
) -> None:
    """Cost a cluster: line by line, its margin, the fleet's, and what both depend on. All prices are placeholders."""
    options: dict[str, Any] = {
        "cloud": cloud,
        "profile": profile,
        "clusters": "shared" if shared else None,
        "extras.build_effort_usd": build_effort,
    }
    given = {name: value for name, value in options.items() if value is not None} | _settings(inputs or [])
    _run(given, request, as_json=as_json, out=out if report else None)


def _settings(pairs: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or name.partition(".")[0] not in _GROUPS:
            fail("cost-model", f"--set {pair!r}: expected GROUP.NAME=VALUE, GROUP one of {', '.join(_GROUPS)}")
        found[name] = value
    return found


def _run(given: dict[str, Any], file: Path | None, *, as_json: bool, out: Path | None) -> None:
    from roomscribe_common.contracts.pricing.cost_model import CostModelRequest
    from roomscribe_usage_metering.pricing.cost_model_answer import cost_model as answer_of

    from roomscribe_cli.pricing.cost_report import cost_report
    from roomscribe_cli.pricing.screen import plain_console, show_cost_model

    asked = request_of("cost-model", CostModelRequest, file, given)
    answer = answer_of(asked)
    if as_json:
        print(answer.model_dump_json(indent=2))
    else:
        show_cost_model(plain_console(), answer)
    if out is not None:
        write_report("cost-model", cost_report(answer, asked), out)
