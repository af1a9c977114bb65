"""`roomscribe export`: a meeting's transcript in a format."""

import asyncio
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from roomscribe_cli.client import Endpoint, Gateway, GatewayError
from roomscribe_cli.local.record import StackError


class Format(StrEnum):
    """The formats the gateway writes."""

    json = "json"
    txt = "txt"
    md = "md"
    vtt = "vtt"
    srt = "srt"
    csv = "csv"
    docx = "docx"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(export)


async def _transcript(state: Path | None, meeting: str, form: Format) -> bytes:
    async with Gateway(Endpoint.find(state)) as gateway:
        return await gateway.transcript(meeting, form.value)


def export(
    meeting: Annotated[str, typer.Argument(help="The meeting's id.")],
    form: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.md,
    out: Annotated[Path | None, typer.Option(help="File to write; standard output by default.")] = None,
    state: Annotated[Path | None, typer.Option(help="State folder of the stack to ask.")] = None,
) -> None:
    """Write a meeting's transcript: the current revision of every segment, by start time."""
    try:
        content = asyncio.run(_transcript(state, meeting, form))
    except (GatewayError, StackError) as error:
        sys.stderr.write(f"roomscribe export: {error}\n")
        raise typer.Exit(1) from None
    try:
        if out is None:
            sys.stdout.buffer.write(content)
        else:
            out.write_bytes(content)
    except OSError as error:
        sys.stderr.write(f"roomscribe export: cannot write {out or 'to standard output'}: {error.strerror}\n")
        raise typer.Exit(1) from None
