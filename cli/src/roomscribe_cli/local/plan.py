"""What one local stack consists of: the servers, the services, and the environment each gets."""

import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from roomscribe_common import servers
from roomscribe_common.servers import LivekitKeys, LivekitPorts, Program, ServerName, ServerSpec, ping
from roomscribe_common.servers.ports import LOOPBACK

from roomscribe_cli.local.births import Birth, NurseryBirth, ProgramBirth
from roomscribe_cli.local.child import Launch
from roomscribe_cli.local.record import StackRecord, StateFolder
from roomscribe_cli.local.replicas import service_of

# Ended in this order, each wave within its seconds: first who takes new work, then who makes it, then who finishes it.
# The seconds are what a service under load may take to bring home what was said; an idle one ends at once.
_FLUSH_S = 7.0  # of a room process, whose node ends at most 6 s later: so that all waves together stay under 35 s
STOP_WAVES: tuple[tuple[tuple[str, ...], float], ...] = (
    (("gateway", "dispatcher"), 3.0),
    (("media-ingest",), _FLUSH_S + 6.5),
    (("stt-worker", "attribution", "summarizer", "usage-metering"), 15.5),
    (("livekit", "redis", "nats"), 3.0),
)
# LiveKit takes the first SIGTERM for a wish to let people finish their meeting; the second ends it.
_SERVER_ASK_AGAIN_S = 0.8
# And a node of rooms takes it for a deploy, in which meetings go on until they end; the second hands them over.
_ROOMS_ASK_AGAIN_S = 0.5


@dataclass(frozen=True)
class Livekit:
    """Where LiveKit is and the key to it: our own server's, or the one the user names."""

    url: str
    api_key: str
    api_secret: str


@dataclass(frozen=True)
class Plan:
    """Everything `roomscribe up` starts, and what it tells of it."""

    gateway: str
    nats: str
    redis: str
    database: str
    livekit: Livekit | None
    servers: list[Launch]
    services: list[Launch]


def named_livekit(environ: Mapping[str, str]) -> Livekit | None:
    """The LiveKit that the environment points at, if it does."""
    url = environ.get("ROOMSCRIBE_LIVEKIT_URL")
    if not url:
        return None
    return Livekit(url, environ.get("ROOMSCRIBE_LIVEKIT_API_KEY", ""), environ.get("ROOMSCRIBE_LIVEKIT_API_SECRET", ""))


def named_database(environ: Mapping[str, str]) -> str | None:
    """The database that the environment names, if it does; else each service has its own SQLite file."""
    return environ.get("ROOMSCRIBE_DATABASE_URL") or None


def stop_waves(processes: Iterable[str]) -> list[list[str]]:
    """Which of these end together, in this order."""
    running = list(processes)
    return [[name for name in running if service_of(name) in wave] for wave, _ in STOP_WAVES]


def service_birth(folder: StateFolder) -> Birth:
    """How services come into being here. A fork after imports is safe on Linux only."""
    return NurseryBirth(folder.path, folder.log("nursery")) if sys.platform == "linux" else ProgramBirth()


def make_plan(folder: StateFolder, record: StackRecord, programs: dict[ServerName, Program], nursery: Birth) -> Plan:
    """Lay out a stack on the record's ports; services come by `nursery`.

    Without a LiveKit program, the environment's LiveKit is used, or none.
    """
    ports = record.ports
    gateway = f"http://{LOOPBACK}:{ports['gateway']}"
    specs = [servers.nats(folder.path / "nats", ports["nats"]), servers.redis(folder.path / "redis", ports["redis"])]
    livekit = named_livekit(os.environ)
    if livekit is None and "livekit" in programs:
        keys = LivekitKeys(record.livekit_key, record.livekit_secret)
        media = LivekitPorts(ports["livekit"], ports["livekit-tcp"], ports["livekit-udp"])
        specs.append(servers.livekit(folder.path / "livekit", keys, media, f"{gateway}/livekit/webhook"))
        livekit = Livekit(specs[-1].url, keys.api_key, keys.api_secret)
    nats, redis = specs[0].url, specs[1].url
    common = _common_environment(nats, redis, livekit)
    return Plan(
        gateway=gateway,
        nats=nats,
        redis=redis,
        database=named_database(os.environ) or _database(folder, "gateway"),
        livekit=livekit,
        servers=[_server(spec, programs[spec.name], folder) for spec in specs],
        services=[_service(name, record, folder, common, nursery) for name in record.services],
    )


def _common_environment(nats: str, redis: str, livekit: Livekit | None) -> dict[str, str]:
    env = os.environ | {
        "ROOMSCRIBE_NATS_URL": nats,
        "ROOMSCRIBE_REDIS_URL": redis,
        "ROOMSCRIBE_HEALTH_HOST": LOOPBACK,
        "PYTHONUNBUFFERED": "1",
    }
    if livekit is not None:
        env |= {
            "ROOMSCRIBE_LIVEKIT_URL": livekit.url,
            "ROOMSCRIBE_LIVEKIT_API_KEY": livekit.api_key,
            "ROOMSCRIBE_LIVEKIT_API_SECRET": livekit.api_secret,
        }
    return env


def _database(folder: StateFolder, service: str) -> str:
    file = "usage.db" if service == "usage-metering" else "archive.db"
    return f"sqlite+aiosqlite:///{folder.path / file}"


def _server(spec: ServerSpec, program: Program, folder: StateFolder) -> Launch:
    return Launch(
        name=spec.name,
        birth=ProgramBirth(),
        argv=[str(program.path), *spec.args],
        env=dict(os.environ),
        log=folder.log(spec.name),
        not_ready=lambda: None if spec.ready() else f"no good answer at {spec.url}",
        folder=spec.folder,
        stop_within_s=_seconds_to_stop(spec.name),
        ask_again_s=_SERVER_ASK_AGAIN_S,
    )


def _service(name: str, record: StackRecord, folder: StateFolder, common: dict[str, str], birth: Birth) -> Launch:
    port, service = record.ports[f"{name}-health"], service_of(name)
    database = named_database(os.environ) or _database(folder, service)
    env = common | {"ROOMSCRIBE_HEALTH_PORT": str(port), "ROOMSCRIBE_DATABASE_URL": database}
    if service == "gateway":
        env |= {
            "ROOMSCRIBE_GATEWAY_HOST": LOOPBACK,
            "ROOMSCRIBE_GATEWAY_PORT": str(record.ports["gateway"]),
            "ROOMSCRIBE_GATEWAY_API_KEYS": json.dumps({record.gateway_key: "local"}),
        }
    if service == "media-ingest":
        env["ROOMSCRIBE_INGEST_FLUSH_TIMEOUT_S"] = str(_FLUSH_S)
    return Launch(
        name=name,
        birth=birth,
        argv=[sys.executable, "-m", f"roomscribe_{service.replace('-', '_')}"],
        env=env,
        log=folder.log(name),
        not_ready=readyz(port),
        folder=folder.path,
        stop_within_s=_seconds_to_stop(name),
        ask_again_s=_ROOMS_ASK_AGAIN_S if service == "media-ingest" else math.inf,
    )


def readyz(port: int) -> Callable[[], str | None]:
    """Ask a service's `/readyz` once: None when it answers 200, else what it says is missing."""

    def ask() -> str | None:
        status, body = ping.http(port, "/readyz")
        return None if status == 200 else body.strip() or f"no answer on port {port}"

    return ask


def _seconds_to_stop(name: str) -> float:
    return next(seconds for services, seconds in STOP_WAVES if service_of(name) in services)
