"""How a process comes into being: as a program of its own, or forked from one that has its imports done already."""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, TypeAdapter
from roomscribe_common.servers.parent import bound_to_parent

from roomscribe_cli.local.record import StackError

_BIRTH_WITHIN_S = 60.0


class ForkService(BaseModel):
    """To the nursery: fork, and become `python -m module` with this environment, folder and log."""

    module: str
    env: dict[str, str]
    folder: Path
    log: Path


class Forked(BaseModel):
    """From the nursery: the process that was asked for, in the order of asking."""

    forked: int


class Ended(BaseModel):
    """From the nursery: a process has ended, with this status, negative for a signal."""

    ended: int
    status: int


Reply: TypeAdapter[Forked | Ended] = TypeAdapter(Forked | Ended)


@dataclass(frozen=True)
class Life:
    """A running process, leader of a session of its own; `ended` gives its exit status, negative for a signal."""

    pid: int
    ended: Awaitable[int]


class Birth(Protocol):
    """Starts processes."""

    async def open(self) -> None:
        """Get ready to."""
        ...

    async def close(self) -> None:
        """Start no more."""
        ...

    async def give(self, argv: list[str], env: dict[str, str], folder: Path, log: Path) -> Life:
        """Start `argv`; it dies when this process does."""
        ...


class ProgramBirth:
    """Each process is its own program."""

    async def open(self) -> None:
        """There is nothing to make ready."""

    async def close(self) -> None:
        """There is nothing to end."""

    async def give(self, argv: list[str], env: dict[str, str], folder: Path, log: Path) -> Life:
        """Start `argv`; it dies when this process does."""
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *bound_to_parent(argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                env=env,
                cwd=folder,
                start_new_session=True,
            )
        return Life(process.pid, asyncio.ensure_future(process.wait()))


class NurseryBirth:
    """Services fork from one nursery process, so that their common imports are paid once, not seven times.

    It takes only `python -m MODULE`. If the nursery dies, its children do too, and the next birth starts a new one.
    """

    def __init__(self, folder: Path, log: Path) -> None:
        self._folder = folder
        self._log = log
        self._nursery: asyncio.subprocess.Process | None = None
        self._asking = asyncio.Lock()
        self._asked: asyncio.Future[int] | None = None
        self._lives: dict[int, asyncio.Future[int]] = {}
        self._listening: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start the nursery, which then imports; a birth waits for it."""
        with self._log.open("ab") as log:
            self._nursery = await asyncio.create_subprocess_exec(
                *bound_to_parent([sys.executable, "-m", "roomscribe_cli.local.nursery"]),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
            )
        self._listening = asyncio.create_task(self._listen(self._nursery))

    async def close(self) -> None:
        """End the nursery; it and what is left of its children go at once."""
        if self._nursery is not None:
            with contextlib.suppress(ProcessLookupError):
                self._nursery.kill()
            await self._nursery.wait()
        if self._listening is not None:
            await self._listening

    async def give(self, argv: list[str], env: dict[str, str], folder: Path, log: Path) -> Life:
        """Fork what `argv` names; raises StackError if the nursery does not answer."""
        async with self._asking:
            if self._listening is None or self._listening.done():
                await self.open()
            self._asked = asyncio.get_running_loop().create_future()
            order = ForkService(module=argv[-1], env=env, folder=folder, log=log)
            assert self._nursery is not None
            assert self._nursery.stdin is not None
            self._nursery.stdin.write(order.model_dump_json().encode() + b"\n")
            try:
                pid = await asyncio.wait_for(self._asked, _BIRTH_WITHIN_S)
            except (TimeoutError, ConnectionError) as error:
                raise StackError(f"no process for {argv[-1]}: {error or 'no answer'}; see {self._log}") from error
            return Life(pid, self._lives[pid])

    async def _listen(self, nursery: asyncio.subprocess.Process) -> None:
        assert nursery.stdout is not None
        loop = asyncio.get_running_loop()
        while line := await nursery.stdout.readline():
            match Reply.validate_json(line):
                case Forked(forked=pid):
                    self._lives[pid] = loop.create_future()
                    if self._asked is not None and not self._asked.done():
                        self._asked.set_result(pid)
                case Ended(ended=pid, status=status):
                    self._lives.pop(pid).set_result(status)
        await nursery.wait()
        # The kernel kills its children with it.
        for life in self._lives.values():
            life.set_result(-9)
        self._lives.clear()
        if self._asked is not None and not self._asked.done():
            self._asked.set_exception(ConnectionError("the nursery ended"))
