"""`roomscribe demo`: a meeting of four synthetic people on a stack of its own, and its scorecard."""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from roomscribe_cli.client import GatewayError
from roomscribe_cli.local.record import StackError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    out: Annotated[Path, typer.Option(help="Folder for transcript, minutes, usage and scorecard.")] = Path(
        "roomscribe-demo"
    ),
    state: Annotated[Path | None, typer.Option(help="State folder of the stack; a temporary one by default.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack running and print the page's address.")] = False,
) -> None:
    """Hold a scripted meeting in a real LiveKit room and show what Roomscribe makes of it.

    Exit status 0 only if the scorecard passes its thresholds.
    """
    from roomscribe_cli.demo.results import OutputError, writable
    from roomscribe_cli.demo.run import run_demo

    console = Console()
    with tempfile.TemporaryDirectory(prefix="roomscribe-demo-", ignore_cleanup_errors=True) as temporary:
        try:
            status = asyncio.run(run_demo(state or Path(temporary), writable(out), keep=keep, console=console))
        except (GatewayError, OutputError, StackError) as error:
            sys.stderr.write(f"roomscribe demo: {error}\n")
            status = 1
        except KeyboardInterrupt:
            status = 0 if keep else 130
    raise typer.Exit(status)
