"""`roomscribe doctor`."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    state: Annotated[Path | None, typer.Option(help="The folder given to `roomscribe up`.")] = None,
) -> None:
    """Check what the local stack needs; exit status 1 if something is missing."""
    from roomscribe_cli.local.doctor import examine
    from roomscribe_cli.local.record import StateFolder, default_state

    failed = False
    for finding in examine(StateFolder(state or default_state())):
        mark = "FAIL" if finding.fails else "warn" if finding.cure else "ok"
        print(f"{mark:<5}{finding.what:<15} {finding.seen}", flush=True)
        if finding.cure:
            print(f"{'':<21}{finding.cure}", flush=True)
        failed = failed or finding.fails
    raise typer.Exit(1 if failed else 0)
