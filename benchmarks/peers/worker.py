"""LiveKit Agents' worker beside our stack, on the same LiveKit server: started, sent into rooms, called back."""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil
from livekit import api
from roomscribe_cli.demo.stack import LivekitAccess
from roomscribe_common.servers.parent import bound_to_parent
from roomscribe_common.servers.ports import free_ports
from roomscribe_common.servers.run import log_tail

from benchmarks.peers.environment import obtain
from benchmarks.report import CouldNotRun
from benchmarks.usage import pss_mb, tree, tree_cpu_s

AGENT_NAME = "peer"
_HERE = Path(__file__).parent
_ENGINE = _HERE.parents[1] / "services" / "stt-worker" / "src"
_READY_S = 60.0
_END_S = 15.0
_LOOK_S = 0.1
_QUIET_S = 0.6
_QUIET_SHARE = 0.1
"""Of one processor: what its idle processes ask each other takes less."""


class Peer:
    """A running worker."""

    def __init__(self, pid: int, lk: api.LiveKitAPI, decodes: Path) -> None:
        self.pid = pid
        self._lk = lk
        self._decodes = decodes

    async def send(self, room: str) -> str:
        """Asks LiveKit to dispatch it to a room; returns the dispatch's id as soon as LiveKit has answered."""
        request = api.CreateAgentDispatchRequest(agent_name=AGENT_NAME, room=room)
        return (await self._lk.agent_dispatch.create_dispatch(request)).id

    async def recall(self, dispatch: str, room: str) -> None:
        """Takes the dispatch back, which ends its job."""
        await self._lk.agent_dispatch.delete_dispatch(dispatch, room)

    async def at_rest(self) -> None:
        """Returns once it does next to nothing: the process of the last job has ended, the next ones are loaded."""
        async with asyncio.timeout(_READY_S):
            share = 1.0
            while share > _QUIET_SHARE:
                before, began = tree_cpu_s(psutil.Process(self.pid)), time.monotonic()
                await asyncio.sleep(_QUIET_S)
                share = (tree_cpu_s(psutil.Process(self.pid)) - before) / (time.monotonic() - began)

    def pss_mb(self) -> float:
        """Memory of all its processes."""
        return pss_mb(process.pid for process in tree(self.pid))

    def decoded(self) -> tuple[float, float]:
        """CPU seconds its speech model has taken so far, of how many seconds of audio."""
        lines = self._decodes.read_text().splitlines() if self._decodes.exists() else []
        both = [tuple(map(float, line.split(","))) for line in lines]
        return sum(each[0] for each in both), sum(each[1] for each in both)


@asynccontextmanager
async def running_peer(livekit: LivekitAccess) -> AsyncGenerator[Peer]:
    """A worker that is registered and at rest; ended when the block is left. Raises `CouldNotRun`."""
    python = await asyncio.to_thread(obtain)
    with tempfile.TemporaryDirectory(prefix="roomscribe-bench-", ignore_cleanup_errors=True) as folder:
        port, log, decodes = free_ports(1)[0], Path(folder, "peer.log"), Path(folder, "decodes.csv")
        command = bound_to_parent([str(python), str(_HERE / "transcriber.py"), "start"], signal="TERM")
        process = await _started(command, _environment(livekit, port, decodes), log)
        try:
            async with api.LiveKitAPI(livekit.url.replace("ws", "http", 1), livekit.api_key, livekit.api_secret) as lk:
                peer = Peer(process.pid, lk, decodes)
                await _registered(port, process, log)
                await peer.at_rest()
                yield peer
        finally:
            await _end(process)


def _environment(livekit: LivekitAccess, port: int, decodes: Path) -> dict[str, str]:
    return os.environ | {
        "LIVEKIT_URL": livekit.url,
        "LIVEKIT_API_KEY": livekit.api_key,
        "LIVEKIT_API_SECRET": livekit.api_secret,
        "PEER_AGENT_NAME": AGENT_NAME,
        "PEER_PORT": str(port),
        "PEER_DECODES": str(decodes),
        "PYTHONPATH": str(_ENGINE),
    }


async def _started(command: list[str], env: dict[str, str], log: Path) -> asyncio.subprocess.Process:
    nothing = asyncio.subprocess.DEVNULL
    with log.open("wb") as out:  # an empty file in a folder of ours
        return await asyncio.create_subprocess_exec(*command, env=env, stdin=nothing, stdout=out, stderr=out)


async def _registered(port: int, process: asyncio.subprocess.Process, log: Path) -> None:
    deadline = time.monotonic() + _READY_S
    async with httpx.AsyncClient() as http:
        while time.monotonic() < deadline and process.returncode is None:
            try:
                if (await http.get(f"http://127.0.0.1:{port}/")).is_success and _says(log, "registered worker"):
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(_LOOK_S)
    raise CouldNotRun(f"LiveKit Agents' worker was not ready: {log_tail(log)}")


def _says(log: Path, words: str) -> bool:
    return words in log.read_text()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Asks it to end, then kills what is left of it."""
    if process.returncode is not None:
        return
    everybody = tree(process.pid)
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _END_S)
    except TimeoutError:
        process.kill()
        await process.wait()
    for each in psutil.wait_procs(everybody, timeout=1)[1]:
        each.kill()
