"""The stack a demonstration runs on: `roomscribe up` as a child process, stopped at the end."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import BaseModel
from roomscribe_common.servers.parent import bound_to_parent

from roomscribe_cli.client import GatewayError
from roomscribe_cli.local.record import StateFolder

_READY_TIMEOUT_S = 900
"""Building livekit-server the first time takes minutes; its progress is on standard error meanwhile."""
_STOP_TIMEOUT_S = 40


class LivekitAccess(BaseModel):
    """Where LiveKit is, and the key pair for it."""

    url: str
    api_key: str
    api_secret: str


class StackReady(BaseModel):
    """The first line `roomscribe up --json` prints."""

    gateway: str
    api_key: str
    livekit: LivekitAccess | None
    nats: str
    redis: str
    processes: dict[str, int]


def attached_stack(state: Path) -> StackReady | None:
    """The stack that runs in `state` already, if one does."""
    folder = StateFolder(state)
    record = folder.read() if folder.is_running() else None
    if record is None:
        return None
    gateway, nats, redis = (f"127.0.0.1:{record.ports[name]}" for name in ("gateway", "nats", "redis"))
    return StackReady(
        gateway=f"http://{gateway}",
        api_key=record.gateway_key,
        livekit=None,
        nats=f"nats://{nats}",
        redis=f"redis://{redis}",
        processes=record.processes,
    )


@asynccontextmanager
async def running_stack(state: Path) -> AsyncGenerator[StackReady]:
    """A stack of its own in `state`, ready; it is stopped when the block is left, or this process is killed."""
    command = bound_to_parent(
        [sys.executable, "-m", "roomscribe_cli", "up", "--json", "--state", str(state)], signal="TERM"
    )
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), _READY_TIMEOUT_S)
        if not line:
            raise GatewayError("the local stack did not start; what went wrong is above")
        yield StackReady.model_validate_json(line)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), _STOP_TIMEOUT_S)
