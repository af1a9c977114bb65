"""Runs one server as a child process: started, awaited, stopped, and never left behind."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from roomscribe_common.servers.account import Account
from roomscribe_common.servers.find import Program
from roomscribe_common.servers.parent import bound_to_parent
from roomscribe_common.servers.spec import ServerSpec
from roomscribe_common.servers.wait import until

_ASK_TIMES = 4
_ASK_AGAIN_S = 1.5
_KILL_TIMEOUT_S = 5.0
_READY_TIMEOUT_S = 30.0
_TAIL_LINES = 15
_TAIL_BYTES = 64_000


class ServerFailedError(Exception):
    """A server ended or was not ready in time; the message carries the end of its log."""


def log_tail(path: Path, since: int = 0, lines: int = _TAIL_LINES) -> str:
    """The last lines of a log file, none from before the byte `since`; empty if there is no such file."""
    try:
        with path.open("rb") as file:
            file.seek(max(since, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


class LocalServer:
    """One server on this machine. Start it from a thread that lives as long as it shall live."""

    def __init__(self, spec: ServerSpec, program: Program, account: Account | None = None) -> None:
        self.spec = spec
        self.url = spec.url
        self.log = spec.folder.with_name(f"{spec.folder.name}.log")
        self._argv = bound_to_parent([str(program.path), *spec.args], account)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self._process is None:
            raise ServerFailedError(f"{self.spec.name} is not running")
        return self._process.pid

    def start(self) -> None:
        """Start the process; `wait_ready` tells when it can be used."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.spec.folder,
                start_new_session=True,
            )

    def wait_ready(self, timeout_s: float = _READY_TIMEOUT_S) -> None:
        """Return once it answers; raises ServerFailedError if it ends or stays silent."""
        process = self._process
        if process is None:
            raise ServerFailedError(f"{self.spec.name} was not started")
        until(lambda: process.poll() is not None or self.spec.ready(), timeout_s=timeout_s)
        exit_code = process.poll()
        if exit_code is None and self.spec.ready():
            return
        self.kill()
        state = f"was not ready after {timeout_s:.0f} s" if exit_code is None else f"ended with {exit_code}"
        raise ServerFailedError(f"{self.spec.name} {state}; the end of {self.log}:\n{log_tail(self.log)}")

    def stop(self) -> None:
        """Ask it to end, and make it end if it does not."""
        process = self._process
        if process is not None:
            # Asked twice: LiveKit takes the first for a wish to let people finish, and misses one sent while it starts.
            for _ in range(_ASK_TIMES):
                _signal(process, self.spec.stop_signal)
                if until(lambda: process.poll() is not None, timeout_s=_ASK_AGAIN_S):
                    break
        self.kill()

    def kill(self) -> None:
        """End it as a crash would: no goodbye."""
        process, self._process = self._process, None
        if process is None:
            return
        # The whole group: a server that died may have left children of its own.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=_KILL_TIMEOUT_S)


def _signal(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(how)
