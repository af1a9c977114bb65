"""`roomscribe up`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from roomscribe_cli.local.plan import Plan
    from roomscribe_cli.local.record import StackRecord


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("up")(up)


def up(
    as_json: Annotated[bool, typer.Option("--json", help="First line on standard output: one JSON object.")] = False,
    state: Annotated[Path | None, typer.Option(help="Folder of this stack's ports, keys, data and logs.")] = None,
    replicas: Annotated[str, typer.Option(help="How many of a service: stt-worker=2,media-ingest=2")] = "",
) -> None:
    """Start the whole stack on this machine and stay; Ctrl-C stops all of it."""
    from roomscribe_cli.local import up as local
    from roomscribe_cli.local.record import StackError, default_state
    from roomscribe_cli.local.replicas import parse_replicas, process_names

    try:
        services = process_names(parse_replicas(replicas))
        local.run(state or default_state(), services, _show_json if as_json else _show_table)
    except StackError as error:
        local.say(str(error))
        raise typer.Exit(1) from error


def _show_json(plan: "Plan", record: "StackRecord") -> None:
    livekit = plan.livekit
    facts = {
        "gateway": plan.gateway,
        "api_key": record.gateway_key,
        "livekit": livekit and {"url": livekit.url, "api_key": livekit.api_key, "api_secret": livekit.api_secret},
        "nats": plan.nats,
        "redis": plan.redis,
        "database": plan.database,
        "processes": record.processes,
    }
    print(json.dumps(facts), flush=True)


def _show_table(plan: "Plan", record: "StackRecord") -> None:
    livekit = plan.livekit
    rows = {
        "gateway": plan.gateway,
        "API key": record.gateway_key,
        "LiveKit": f"{livekit.url}  key {livekit.api_key}  secret {livekit.api_secret}" if livekit else "none",
        "NATS": plan.nats,
        "Redis": plan.redis,
        "database": plan.database,
        "processes": "  ".join(f"{name} {pid}" for name, pid in record.processes.items()),
    }
    for name, value in rows.items():
        print(f"{name:<10} {value}")
    print("Ctrl-C stops all of it.", flush=True)
