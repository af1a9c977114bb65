"""How each server is configured for one machine: arguments, files, address, and the question that shows it is ready."""

import json
import secrets
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from roomscribe_common.servers import ping
from roomscribe_common.servers.kinds import ServerName
from roomscribe_common.servers.ports import LOOPBACK, free_ports


@dataclass(frozen=True)
class ServerSpec:
    """One server to run. `args` follow the program's name; `ready` asks once, quickly, and never raises."""

    name: ServerName
    url: str
    args: list[str]
    ports: list[int]
    folder: Path
    ready: Callable[[], bool]
    stop_signal: signal.Signals = signal.SIGTERM


@dataclass(frozen=True)
class LivekitKeys:
    """An API key and its secret."""

    api_key: str
    api_secret: str

    @classmethod
    def random(cls) -> "LivekitKeys":
        """Make a new pair."""
        return cls(f"API{secrets.token_hex(6)}", secrets.token_hex(24))


@dataclass(frozen=True)
class LivekitPorts:
    """LiveKit's three ports: signalling and API, media over TCP, media over UDP."""

    http: int
    tcp: int
    udp: int

    @classmethod
    def free(cls) -> "LivekitPorts":
        """Choose three free ones."""
        return cls(*free_ports(3))


def nats(folder: Path, port: int | None = None) -> ServerSpec:
    """NATS with JetStream, storing in `folder`."""
    port = port or free_ports(1)[0]
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "nats.conf"
    # What was acknowledged must survive a power cut; the server's default syncs every two minutes.
    config.write_text(
        f'server_name: roomscribe\nlisten: "{LOOPBACK}:{port}"\n'
        f'jetstream {{ store_dir: "{folder}", sync_interval: always }}\n'
    )
    args = ["--config", str(config)]
    return ServerSpec("nats", f"nats://{LOOPBACK}:{port}", args, [port], folder, lambda: ping.nats(port))


def redis(folder: Path, port: int | None = None) -> ServerSpec:
    """Redis with an append-only file in `folder`, so that leases and epochs survive its restart."""
    port = port or free_ports(1)[0]
    folder.mkdir(parents=True, exist_ok=True)
    args = ["--bind", LOOPBACK, "--port", str(port), "--dir", str(folder), "--appendonly", "yes", "--save", ""]
    return ServerSpec("redis", f"redis://{LOOPBACK}:{port}/0", args, [port], folder, lambda: ping.redis(port))


def livekit(
    folder: Path, keys: LivekitKeys, ports: LivekitPorts | None = None, webhook_url: str | None = None
) -> ServerSpec:
    """One LiveKit node that needs no network but this machine's, and posts its webhooks to `webhook_url`."""
    ports = ports or LivekitPorts.free()
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "livekit.yaml"
    settings: dict[str, object] = {
        "port": ports.http,
        "bind_addresses": [LOOPBACK],
        "keys": {keys.api_key: keys.api_secret},
        "logging": {"level": "info", "json": True},
        "rtc": {
            "udp_port": ports.udp,
            "tcp_port": ports.tcp,
            "use_external_ip": False,
            # A fixed address stops the server from asking public STUN servers for its own,
            "node_ip": LOOPBACK,
            "enable_loopback_candidate": True,
            # and a STUN server of our own (there is none: it is never needed here) from naming public ones to clients.
            "stun_servers": [f"{LOOPBACK}:{ports.udp}"],
        },
    }
    if webhook_url:
        settings["webhook"] = {"api_key": keys.api_key, "urls": [webhook_url]}
    config.touch(mode=0o600)
    config.write_text(json.dumps(settings, indent=2))  # JSON is YAML
    taken = [ports.http, ports.tcp, ports.udp]
    url = f"ws://{LOOPBACK}:{ports.http}"
    return ServerSpec("livekit", url, ["--config", str(config)], taken, folder, lambda: ping.http(ports.http)[0] == 200)


def postgres(folder: Path, port: int | None = None) -> ServerSpec:
    """PostgreSQL over an initialised data folder `folder/data`; anyone on this machine is its superuser `postgres`."""
    port = port or free_ports(1)[0]
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"listen_addresses": LOOPBACK, "port": str(port), "unix_socket_directories": str(folder)}
    args = ["-D", str(folder / "data")]
    args += [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    url = f"postgresql+asyncpg://postgres@{LOOPBACK}:{port}/postgres"
    # SIGTERM would wait for every client to leave; SIGINT ends their sessions.
    return ServerSpec("postgres", url, args, [port], folder, lambda: ping.postgres(port), signal.SIGINT)
