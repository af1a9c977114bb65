"""For tests and trials: a local stack, run by the real command and looked at from outside."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

from roomscribe_cli.local.record import StackRecord, StateFolder

_READY_WITHIN_S = 120.0
_END_WITHIN_S = 45.0


class LivekitFacts(BaseModel):
    """A LiveKit server and the key to it."""

    model_config = ConfigDict(extra="forbid")

    url: str
    api_key: str
    api_secret: str


class Facts(BaseModel):
    """The line that `roomscribe up --json` prints when all is ready."""

    model_config = ConfigDict(extra="forbid")

    gateway: str
    api_key: str
    livekit: LivekitFacts | None
    nats: str
    redis: str
    database: str
    processes: dict[str, int]


@dataclass
class Up:
    """One `roomscribe up --json`."""

    process: subprocess.Popen[str]
    state: Path
    stderr: Path
    _facts: Facts | None = None

    @property
    def facts(self) -> Facts:
        """What its first line said."""
        assert self._facts is not None, "wait_ready comes first"
        return self._facts

    def wait_ready(self, timeout_s: float = _READY_WITHIN_S) -> "Up":
        """Read the first line of its standard output."""
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], timeout_s)
        line = self.process.stdout.readline() if readable else ""
        assert line, f"`roomscribe up` was not ready; it said: {self.said()}"
        self._facts = Facts.model_validate_json(line)
        return self

    def record(self) -> StackRecord:
        """What stands in its stack.json now."""
        record = StateFolder(self.state).read()
        assert record is not None
        return record

    def ps(self) -> dict[str, int]:
        """What `roomscribe ps --json` says of it."""
        done = run("ps", "--json", "--state", str(self.state))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["processes"]

    def said(self) -> str:
        """What it has written to standard error so far."""
        return self.stderr.read_text()

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(how)
        return self.process.wait(_END_WITHIN_S)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run another command of `roomscribe` to its end."""
    command = [sys.executable, "-m", "roomscribe_cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@dataclass
class Stacks:
    """Starts stacks in folders below `folder`, each with `env` added to the environment."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict[str, str])
    started: list[Up] = field(default_factory=list[Up])

    def up(
        self,
        state: str = "state",
        env: dict[str, str] | None = None,
        replicas: str = "",
        within: Sequence[str] = (),
    ) -> Up:
        """Start one; `wait_ready` tells when it can be used. `within`: a program that runs it, with its arguments."""
        path = self.folder / state
        stderr = self.folder / f"up-{len(self.started)}.stderr"
        with stderr.open("w") as errors:
            up = [sys.executable, "-m", "roomscribe_cli", "up", "--json", "--state", str(path), "--replicas", replicas]
            process = subprocess.Popen(
                [*within, *up],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=os.environ | self.env | (env or {}),
            )
        self.started.append(Up(process, path, stderr))
        return self.started[-1]

    def close(self) -> None:
        """End every stack that still runs."""
        for up in self.started:
            if up.process.poll() is None:
                up.end()
            if up.process.stdout is not None:
                up.process.stdout.close()

    def left_over(self) -> list[str]:
        """The command lines of processes that still work below this folder."""
        found: list[str] = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if Path(process.cwd()).is_relative_to(self.folder):
                    found.append(" ".join(process.cmdline()))
        return found
