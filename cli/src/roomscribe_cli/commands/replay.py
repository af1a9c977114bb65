"""`roomscribe replay`: a meeting from audio files, one file a person, without LiveKit."""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from roomscribe_cli.client import GatewayError
from roomscribe_cli.local.record import StackError, default_state


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(replay)


def replay(
    files: Annotated[list[str], typer.Argument(metavar="[NAME=]FILE…", help="One audio file a person.")],
    title: Annotated[str, typer.Option(help="Title of the meeting.")] = "Replay",
    speed: Annotated[float, typer.Option(min=0, help="Times real time; 0: as fast as it is recognised.")] = 1.0,
    out: Annotated[Path, typer.Option(help="Folder for transcript, minutes and usage.")] = Path("roomscribe-replay"),
    state: Annotated[Path | None, typer.Option(help="State folder of the stack; a running one is used.")] = None,
) -> None:
    """Turn audio files into a transcript, minutes and usage, the same way as a room.

    Uses the stack running in the state folder; where none runs, one of its own for the time being.
    """
    from roomscribe_common.connection import Unreachable
    from roomscribe_common.errors import Permanent, Retryable

    from roomscribe_cli.demo.run import run_replay
    from roomscribe_cli.demo.stack import attached_stack
    from roomscribe_cli.replay.player import Replay, ReplayStuck
    from roomscribe_cli.replay.recording import BadRecording, read_all

    try:
        plan = Replay.of(read_all(files), title=title, speed=speed or None)
        running = attached_stack(state or default_state())
        with tempfile.TemporaryDirectory(prefix="roomscribe-replay-", ignore_cleanup_errors=True) as temporary:
            asyncio.run(run_replay(plan, running, state or Path(temporary), out, Console()))
    except (BadRecording, GatewayError, Permanent, ReplayStuck, Retryable, StackError, Unreachable) as error:
        sys.stderr.write(f"roomscribe replay: {error}\n")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
