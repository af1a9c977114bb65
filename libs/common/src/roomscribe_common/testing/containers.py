"""Test servers in containers, where a Docker engine answers."""

import contextlib

from docker.errors import DockerException
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

from roomscribe_common.servers import KINDS, ServerFailedError, ServerSpec
from roomscribe_common.servers.wait import until

_POSTGRES_ENV = {"POSTGRES_HOST_AUTH_METHOD": "trust"}


def engine_answers() -> bool:
    """Tell whether there is a Docker engine."""
    with contextlib.suppress(DockerException):
        return DockerClient().client.ping()  # pyright: ignore[reportUnknownMemberType]  # untyped
    return False


class ContainerServer:
    """One server in a container on the host's network and the host's folder: same ports and state as a local one."""

    def __init__(self, spec: ServerSpec) -> None:
        self._spec = spec
        self._container: DockerContainer | None = None

    @property
    def url(self) -> str:
        """The address clients use."""
        return self._spec.url

    def start(self) -> None:
        """Start a new container over the same folder; it is not yet ready."""
        kind = KINDS[self._spec.name]
        folder = str(self._spec.folder)
        # LiveKit's image runs its program whatever the command; the others' take it as the first word.
        command = self._spec.args if kind.name == "livekit" else [kind.program, *self._spec.args]
        container = DockerContainer(kind.image, volumes=[(folder, folder, "rw")])
        container.with_command(command).with_kwargs(network_mode="host", working_dir=folder)
        if kind.name == "postgres":
            container.with_envs(PGDATA=f"{folder}/data", **_POSTGRES_ENV)
        self._container = container.start()

    def wait_ready(self, timeout_s: float = 30.0) -> None:
        """Return once it answers; raises ServerFailedError with the end of its log."""
        if until(self._spec.ready, timeout_s=timeout_s, every_s=0.05):
            return
        log = b"".join(self._container.get_logs()).decode(errors="replace")[-2000:] if self._container else ""
        self.kill()
        raise ServerFailedError(f"{self._spec.name} was not ready after {timeout_s:.0f} s; the end of its log:\n{log}")

    def stop(self) -> None:
        """Ask it to end, then remove the container."""
        if self._container is not None:
            self._container.get_wrapped_container().stop(timeout=8)
        self.kill()

    def kill(self) -> None:
        """End it as a crash would, and remove the container."""
        container, self._container = self._container, None
        if container is not None:
            container.stop(force=True)


class ContainerProvider:
    """Makes servers that run in containers."""

    def make(self, spec: ServerSpec) -> ContainerServer:
        """Return a server that is not started yet."""
        spec.folder.mkdir(parents=True, exist_ok=True)
        # The image's own user writes here.
        spec.folder.chmod(0o777)
        return ContainerServer(spec)
