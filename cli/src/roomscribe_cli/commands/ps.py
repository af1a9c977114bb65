"""`roomscribe ps`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ps")(ps)


def ps(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    state: Annotated[Path | None, typer.Option(help="The folder given to `roomscribe up`.")] = None,
) -> None:
    """List the processes of a running stack, rooms included."""
    from roomscribe_cli.local.record import StackError, StateFolder, default_state
    from roomscribe_cli.local.rooms import running_processes

    try:
        processes = running_processes(StateFolder(state or default_state()))
    except StackError as error:
        print(f"roomscribe: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    if as_json:
        print(json.dumps({"processes": processes}))
        return
    for name, pid in processes.items():
        print(f"{pid:>8}  {name}")
