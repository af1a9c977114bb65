"""What can go wrong, done to a running stack from outside: signals, and servers' files. Nothing here asks a service."""

import asyncio
import os
import re
import signal
import sqlite3
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import psutil
from roomscribe_cli.local.record import StateFolder
from roomscribe_cli.local.rooms import running_processes
from roomscribe_cli.testing import Up

_LOOK_S = 0.05
_BACK_WITHIN_S = 60.0


@dataclass(frozen=True)
class Done:
    """A fault that was done: to which processes, from when to when (Unix time; the same for a kill)."""

    what: str
    hit: dict[str, int]
    began: float
    ended: float


@dataclass
class Faults:
    """Faults for the processes of one stack; `done` is what was done so far."""

    up: Up
    done: list[Done] = field(default_factory=list[Done])
    _holds: int = 0

    def processes(self, pattern: str) -> dict[str, int]:
        """The running processes whose whole name matches, by name."""
        found = running_processes(StateFolder(self.up.state))
        return {name: pid for name, pid in found.items() if re.fullmatch(pattern, name)}

    async def kill(self, pattern: str) -> Done:
        """`kill -9`; whoever is killed is started again at once."""
        return await self._signal("killed", pattern, signal.SIGKILL)

    async def terminate(self, pattern: str) -> Done:
        """SIGTERM, as a deploy does; whoever ends is started again at once."""
        return await self._signal("told to end", pattern, signal.SIGTERM)

    async def freeze(self, pattern: str, for_s: float) -> Done:
        """SIGSTOP for a time: it lives, keeps its connections, and does nothing."""
        hit = await self._matching(pattern)
        began = time.time()
        _send(hit, signal.SIGSTOP)
        try:
            await asyncio.sleep(for_s)
        finally:
            _send(hit, signal.SIGCONT)
        return self._note("frozen", hit, began)

    async def absent(self, pattern: str, for_s: float, meanwhile: Callable[[], None] = lambda: None) -> Done:
        """Killed and not started again for a time. `meanwhile` is called at once, when they are gone."""
        async with self.gone(pattern) as hit:
            began = time.time()
            meanwhile()
            await asyncio.sleep(for_s)
        return self._note("absent", hit, began)

    @asynccontextmanager
    async def gone(self, pattern: str) -> AsyncGenerator[dict[str, int]]:
        """Killed, and not started again before the block is left."""
        hit = await self._matching(pattern)
        async with self._nobody_restarts():
            _send(hit, signal.SIGKILL)
            await _ended(hit)
            yield hit

    async def locked(self, database: str, for_s: float) -> Done:
        """A SQLite file of the state folder held by an exclusive transaction for a time."""
        began = time.time()
        connection = sqlite3.connect(
            self.up.state / database, timeout=10, isolation_level=None, check_same_thread=False
        )
        try:
            await asyncio.to_thread(connection.execute, "BEGIN EXCLUSIVE")
            await asyncio.sleep(for_s)
        finally:
            connection.close()  # and with it the transaction
        return self._note(f"locked {database}", {}, began)

    def alive(self, pattern: str) -> bool:
        """Whether any process whose whole name matches lives."""
        return any(_runs(pid) for pid in self.processes(pattern).values())

    async def _signal(self, what: str, pattern: str, number: signal.Signals) -> Done:
        hit = await self._matching(pattern)
        began = time.time()
        _send(hit, number)
        return self._note(what, hit, began, began)

    async def _matching(self, pattern: str) -> dict[str, int]:
        """What matches, awaited: what was killed just now may not yet be back."""
        deadline = time.monotonic() + _BACK_WITHIN_S
        while not (hit := self.processes(pattern)):
            assert time.monotonic() < deadline, f"nothing is called {pattern}"
            await asyncio.sleep(_LOOK_S)
        return hit

    @asynccontextmanager
    async def _nobody_restarts(self) -> AsyncGenerator[None]:
        """The supervisor is stopped meanwhile: it starts again what died when it goes on."""
        self._holds += 1
        if self._holds == 1:
            os.kill(self.up.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            self._holds -= 1
            if self._holds == 0:
                os.kill(self.up.process.pid, signal.SIGCONT)

    def _note(self, what: str, hit: dict[str, int], began: float, ended: float | None = None) -> Done:
        done = Done(what, hit, began, ended or time.time())
        self.done.append(done)
        return done


Fault = Callable[[Faults], Awaitable[object]]


@dataclass(frozen=True)
class At:
    """A fault at a second of the script."""

    second: float
    fault: Fault


def _send(hit: dict[str, int], number: signal.Signals) -> None:
    for pid in hit.values():
        with suppress(ProcessLookupError):
            os.kill(pid, number)


async def _ended(hit: dict[str, int]) -> None:
    """Returns once these run no more. Whose parent is stopped stays as a zombie, which holds no port and no file."""
    deadline = time.monotonic() + _BACK_WITHIN_S
    while any(_runs(pid) for pid in hit.values()):
        assert time.monotonic() < deadline, f"still running: {hit}"
        await asyncio.sleep(_LOOK_S)


def _runs(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False
