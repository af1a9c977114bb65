"""`roomscribe tail`: a meeting's transcript, live."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from roomscribe_cli.client import Endpoint, Gateway, GatewayError
from roomscribe_cli.local.record import StackError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(tail)


async def _follow(state: Path | None, meeting: str) -> None:
    from roomscribe_cli.demo.listener import Listener
    from roomscribe_cli.demo.screen import Screen, show_minutes

    console = Console()
    async with Gateway(Endpoint.find(state)) as gateway:
        with Screen(console) as screen:
            listener = Listener(screen)
            await listener.follow(gateway, meeting)
    if listener.minutes is not None:
        show_minutes(console, listener.minutes, {f.data.segment_id: f.data for f in listener.finals})


def tail(
    meeting: Annotated[str, typer.Argument(help="The meeting's id.")],
    state: Annotated[Path | None, typer.Option(help="State folder of the stack to ask.")] = None,
) -> None:
    """Show a meeting from its beginning and on as it happens: interims grey, finals with names, then the minutes."""
    try:
        asyncio.run(_follow(state, meeting))
    except (GatewayError, StackError) as error:
        sys.stderr.write(f"roomscribe tail: {error}\n")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
