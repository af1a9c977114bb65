"""What a stack on this machine remembers between runs: its ports, its secrets, and the processes it has now."""

import os
import secrets
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError
from roomscribe_common.servers.exclusive import Busy, exclusive
from roomscribe_common.servers.ports import free_ports

SERVICES = (
    "dispatcher",
    "media-ingest",
    "stt-worker",
    "attribution",
    "summarizer",
    "usage-metering",
    "gateway",
)
_PORTS = ("nats", "redis", "livekit", "livekit-tcp", "livekit-udp", "gateway")
# `roomscribe ps` looks at the lock for an instant; a stack that starts just then shall not take it for another stack.
_LOCK_WAIT_S = 1.0


class StackError(Exception):
    """The local stack cannot do what was asked; the message says why and what helps."""


class StackRecord(BaseModel):
    """STATE/stack.json. Ports and secrets are chosen once; `processes` are those running, by name.

    `services`: the names of all service processes, replicas included.
    """

    ports: dict[str, int]
    gateway_key: str
    livekit_key: str
    livekit_secret: str
    services: list[str] = Field(default_factory=lambda: list(SERVICES))
    processes: dict[str, int] = Field(default_factory=dict)
    written_at: float = 0.0

    @classmethod
    def new(cls) -> "StackRecord":
        """Choose ports and secrets."""
        record = cls(
            ports=dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True)),
            gateway_key=f"rsk_{secrets.token_urlsafe(24)}",
            livekit_key=f"API{secrets.token_hex(6)}",
            livekit_secret=secrets.token_hex(24),
        )
        record.run(record.services)
        return record

    def run(self, services: list[str]) -> None:
        """These service processes are to run; those that never did get a port."""
        self.services = services
        new = [port for name in services if (port := f"{name}-health") not in self.ports]
        ours = set(self.ports.values())
        free = [port for port in free_ports(len(new) + len(ours)) if port not in ours]
        self.ports |= dict(zip(new, free, strict=False))


class StateFolder:
    """The folder of one stack."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self.logs = self.path / "logs"
        self._record = self.path / "stack.json"
        self._lock = self.path / "up.lock"

    def log(self, name: str) -> Path:
        """The log file of one process."""
        return self.logs / f"{name}.log"

    def read(self) -> StackRecord | None:
        """Return what was written last, or None if there is no stack here; raises StackError if it cannot be read."""
        try:
            return StackRecord.model_validate_json(self._record.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise StackError(f"{self._record} cannot be read ({error}): remove it, or use another --state") from error

    def write(self, record: StackRecord) -> None:
        """Replace the record at once and whole; only its owner may read the secrets in it."""
        record.written_at = time.time()
        handle, temporary = tempfile.mkstemp(dir=self.path, prefix=".stack.")
        with os.fdopen(handle, "w") as file:
            file.write(record.model_dump_json(indent=2))
        os.replace(temporary, self._record)

    @contextmanager
    def claimed(self) -> Generator[None]:
        """Be the only stack in this folder; raises StackError if another one is."""
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o700)  # transcripts and bills are nobody else's
        except OSError as error:
            raise StackError(f"the state folder {self.path} cannot be made: {error}") from error
        try:
            with exclusive(self._lock, timeout_s=_LOCK_WAIT_S):
                yield
        except Busy as busy:
            raise StackError(
                f"a stack is already running in {self.path}: see `roomscribe ps --state {self.path}`, "
                "stop it first, or use another --state"
            ) from busy

    def is_running(self) -> bool:
        """Tell whether a supervisor holds this folder."""
        if not self._lock.exists():
            return False
        try:
            with exclusive(self._lock):
                return False
        except Busy:
            return True


def default_state() -> Path:
    """`$XDG_STATE_HOME/roomscribe`, by default under `~/.local/state`."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "roomscribe"
