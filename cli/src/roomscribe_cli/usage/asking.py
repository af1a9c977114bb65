"""Questions to the gateway, for the commands below `roomscribe usage`."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import typer
from pydantic import BaseModel

from roomscribe_cli.client import Endpoint, Gateway, GatewayError
from roomscribe_cli.local.record import StackError

AnswerT = TypeVar("AnswerT")


def ask(command: str, state: Path | None, question: Callable[[Gateway], Awaitable[AnswerT]]) -> AnswerT:
    """What the gateway answers. A refusal goes to standard error, and ends the command with exit status 1."""

    async def asking() -> AnswerT:
        async with Gateway(Endpoint.find(state)) as gateway:
            return await question(gateway)

    try:
        return asyncio.run(asking())
    except (GatewayError, StackError) as error:
        sys.stderr.write(f"roomscribe usage {command}: {error}\n")
        raise typer.Exit(1) from None


def print_json(answer: BaseModel) -> None:
    """The answer and nothing else."""
    print(answer.model_dump_json(indent=2))
