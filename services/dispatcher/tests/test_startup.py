"""What the dispatcher says when it cannot work."""

import asyncio
import os
import sys

from .conftest import NOBODY_THERE, Bench, Start

LIVEKIT = {
    "ROOMSCRIBE_LIVEKIT_URL": NOBODY_THERE,
    "ROOMSCRIBE_LIVEKIT_API_KEY": "testkey",
    "ROOMSCRIBE_LIVEKIT_API_SECRET": "test-secret-of-at-least-32-characters",
}


async def outcome(**environment: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "roomscribe_dispatcher",
        env={**os.environ, "ROOMSCRIBE_START_TIMEOUT_S": "1", **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 30)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, output.decode()


async def test_an_unreachable_redis_is_named_with_its_setting(nats_url: str) -> None:
    status, output = await outcome(
        ROOMSCRIBE_NATS_URL=nats_url, ROOMSCRIBE_REDIS_URL="redis://:secret@127.0.0.1:9/0", **LIVEKIT
    )
    assert status == 1
    assert "127.0.0.1:9" in output
    assert "ROOMSCRIBE_REDIS_URL" in output
    assert "secret" not in output


async def test_a_livekit_without_its_key_is_refused_by_name() -> None:
    status, output = await outcome(ROOMSCRIBE_LIVEKIT_URL=NOBODY_THERE)
    assert status == 1
    assert "ROOMSCRIBE_LIVEKIT_API_KEY" in output
    assert "Traceback" not in output


async def test_an_unreachable_livekit_makes_it_unready_and_not_dead(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher(livekit_url=NOBODY_THERE) as service:
        ready, checks = await service.health.ready()
        assert not ready
        assert NOBODY_THERE in checks["livekit"]
        assert {name for name, result in checks.items() if result != "ok"} == {"livekit", "agent socket"}
        assert (await bench.start("planning")).created
    async with dispatcher(livekit_url="") as service:
        without = {name: "ok" for name in checks if name not in ("livekit", "agent socket")}
        assert await service.health.ready() == (True, without)
