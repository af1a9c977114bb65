"""One process under supervision: started, watched, restarted when it dies, ended with all it started."""

import asyncio
import contextlib
import math
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from roomscribe_common.servers.run import log_tail

from roomscribe_cli.local.births import Birth

_FIRST_BACKOFF_S = 0.1
_LONGEST_BACKOFF_S = 10.0
# After so long a life a crash is a new one, not the next of a row.
_STEADY_S = 30.0


@dataclass(frozen=True)
class Launch:
    """What to run. `not_ready` asks the process once: None when it is ready, else what is missing."""

    name: str
    birth: Birth
    argv: list[str]
    env: dict[str, str]
    log: Path
    not_ready: Callable[[], str | None]
    folder: Path
    stop_within_s: float
    ask_again_s: float = math.inf
    """How long after the first request to end comes the next."""


class Child:
    """One launched process and its successors."""

    def __init__(self, launch: Launch, say: Callable[[str], None], changed: Callable[[], None]) -> None:
        self.name = launch.name
        self.pid: int | None = None
        self.crashes = 0
        self._launch = launch
        self._say = say
        self._changed = changed
        self._born_at_byte = 0
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()

    async def keep(self) -> None:
        """Run it until `stop`: whenever it ends, say so and start it again after a growing pause."""
        backoff_s = _FIRST_BACKOFF_S
        loop = asyncio.get_running_loop()
        try:
            while not self._stopping.is_set():
                started = loop.time()
                exit_code = await self._live()
                if self._stopping.is_set():
                    return
                if loop.time() - started > _STEADY_S:
                    backoff_s = _FIRST_BACKOFF_S
                self.crashes += 1
                self._say(self._obituary(exit_code, backoff_s))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), backoff_s)
                backoff_s = min(backoff_s * 2, _LONGEST_BACKOFF_S)
        finally:
            self._ended.set()

    async def missing(self) -> str | None:
        """What it lacks to be ready, or None."""
        if self.pid is None:
            return "not running"
        return await asyncio.to_thread(self._launch.not_ready)

    async def stop(self) -> None:
        """Ask it to end, again after a while, and kill what is left when its time is up."""
        self._stopping.set()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._launch.stop_within_s
        while not self._ended.is_set() and (left_s := deadline - loop.time()) > 0:
            self.interrupt()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), min(left_s, self._launch.ask_again_s))
        self.kill()

    def interrupt(self) -> None:
        """Ask it to end once; it is started again."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it, and every process of its group, at once."""
        self._stopping.set()
        if self.pid is not None:
            _kill_group(self.pid)

    async def _live(self) -> int:
        launch = self._launch
        self._born_at_byte = launch.log.stat().st_size if launch.log.exists() else 0
        life = await launch.birth.give(launch.argv, launch.env, launch.folder, launch.log)
        self.pid = life.pid
        self._changed()
        if self._stopping.is_set():
            self.kill()
        try:
            return await life.ended
        finally:
            # What it started may not outlive it: its successor starts anew.
            _kill_group(life.pid)
            self.pid = None
            self._changed()

    def _obituary(self, exit_code: int, backoff_s: float) -> str:
        how = f"killed by {signal.Signals(-exit_code).name}" if exit_code < 0 else f"ended with status {exit_code}"
        tail = log_tail(self._launch.log, self._born_at_byte).replace("\n", "\n    ")
        return f"{self.name} {how}; starting it again in {backoff_s:.1f} s. The end of {self._launch.log}:\n    {tail}"


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
