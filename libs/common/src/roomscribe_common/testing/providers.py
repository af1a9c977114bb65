"""Where test servers come from: processes of this machine, or containers, behind one interface."""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Protocol

from roomscribe_common import servers
from roomscribe_common.servers import LocalServer, ServerName, ServerSpec


class Server(Protocol):
    """One server under test. Its address and its stored state survive `kill` followed by `start`."""

    @property
    def url(self) -> str:
        """The address clients use."""
        ...

    def start(self) -> None:
        """Start it; it is not yet ready."""
        ...

    def wait_ready(self, timeout_s: float = 30.0) -> None:
        """Return once it answers, or raise."""
        ...

    def stop(self) -> None:
        """End it in order."""
        ...

    def kill(self) -> None:
        """End it as a crash would."""
        ...


class Provider(Protocol):
    """Makes servers from their specifications."""

    def make(self, spec: ServerSpec) -> Server:
        """Return a server that is not started yet; raises if it cannot be had."""
        ...


class LocalProvider:
    """Servers as child processes: programs found, or built once, as `roomscribe up` does."""

    def make(self, spec: ServerSpec) -> Server:
        """Find the program; PostgreSQL gets its data folder and a user that is not root."""
        program = servers.obtain(spec.name, _say)
        account = servers.unprivileged_account() if spec.name == "postgres" else None
        if spec.name == "postgres":
            program = servers.readable_postgres(spec, program, account)
            servers.initialise_postgres(spec, program, account)
        return LocalServer(spec, program, account)


def choose_provider() -> Provider:
    """Containers if ROOMSCRIBE_TEST_PROVIDER=containers and an engine answers; else processes of this machine."""
    if os.environ.get("ROOMSCRIBE_TEST_PROVIDER", "local") != "containers":
        return LocalProvider()
    from roomscribe_common.testing.containers import ContainerProvider, engine_answers

    if not engine_answers():
        _say("ROOMSCRIBE_TEST_PROVIDER=containers, but no container engine answers: using local processes")
        return LocalProvider()
    return ContainerProvider()


class Servers:
    """Hands out servers by name, each started once; and further ones of a test's own."""

    def __init__(self, provider: Provider, livekit_keys: servers.LivekitKeys) -> None:
        self._provider = provider
        self._keys = livekit_keys
        self._shared: dict[ServerName, Server] = {}
        self._started: list[Server] = []
        # Not pytest's folder: PostgreSQL runs as another user, who may not enter it.
        self._folder = Path(tempfile.mkdtemp(prefix="roomscribe-test-"))
        self._folder.chmod(0o755)

    def __getitem__(self, name: ServerName) -> Server:
        """Return the shared server of that name, starting it when first asked for."""
        if name not in self._shared:
            self._shared[name] = self.start(name)
        return self._shared[name]

    def start(self, name: ServerName, *, webhook_url: str | None = None) -> Server:
        """Start a server of the caller's own, on fresh ports and an empty folder; it is stopped with the rest."""
        folder = self._folder / f"{name}-{len(self._started)}"
        match name:
            case "nats":
                spec = servers.nats(folder)
            case "redis":
                spec = servers.redis(folder)
            case "postgres":
                spec = servers.postgres(folder)
            case "livekit":
                spec = servers.livekit(folder, self._keys, webhook_url=webhook_url)
        server = self._provider.make(spec)
        self._started.append(server)
        server.start()
        server.wait_ready()
        return server

    def close(self) -> None:
        """Stop every server and remove what they stored."""
        for server in reversed(self._started):
            server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
