"""`roomscribe streams apply`: makes every stream and consumer of the bus, and reports what differs."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from roomscribe_cli.local.record import StackError


def register(app: typer.Typer) -> None:
    """Add the commands."""
    streams = typer.Typer(no_args_is_help=True, help="Streams and consumers of the bus.")
    streams.callback()(_about)
    streams.command()(apply)
    app.add_typer(streams, name="streams")


def _about() -> None:
    """Streams and consumers of the bus."""


def apply(
    nats: Annotated[str | None, typer.Option(help="NATS address; ROOMSCRIBE_NATS_URL or the local stack's.")] = None,
    replicas: Annotated[int, typer.Option(min=1, max=5, help="Copies of each stream in a NATS cluster.")] = 1,
    state: Annotated[Path | None, typer.Option(help="State folder of the stack to use.")] = None,
) -> None:
    """Create what is missing; report, and leave alone, what differs. A second run changes nothing.

    Exit status 1 if something differs from the table.
    """
    from roomscribe_common.connection import Unreachable

    try:
        drift = asyncio.run(_apply(nats or os.environ.get("ROOMSCRIBE_NATS_URL") or _local(state), replicas))
    except (Unreachable, StackError) as error:
        sys.stderr.write(f"roomscribe streams: {error}\n")
        raise typer.Exit(1) from None
    raise typer.Exit(1 if drift else 0)


def _local(state: Path | None) -> str:
    from roomscribe_cli.demo.stack import attached_stack
    from roomscribe_cli.local.record import default_state

    running = attached_stack(state or default_state())
    if running is None:
        raise StackError("no stack runs here: give --nats, or start one with `roomscribe up`")
    return running.nats


async def _apply(url: str, replicas: int) -> bool:
    from nats.js import JetStreamContext
    from roomscribe_common import connection, streams

    nc = await connection.connect(url, "streams")
    try:
        findings = await streams.apply(JetStreamContext(nc), replicas=replicas)
    finally:
        await connection.close(nc)
    for finding in findings:
        print(finding)
    if not findings:
        print("nothing to do")
    return any(finding.kind == "drift" for finding in findings)
