"""A service's start, stop and crash, as whoever runs the process sees them."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from roomscribe_common.service import Service
from roomscribe_common.settings import CommonSettings
from roomscribe_common.testing.service import running_service

PROGRAM = Path(__file__).with_name("program.py")


async def test_close_runs_in_reverse_order_and_a_failing_part_does_not_stop_the_rest(settings: CommonSettings) -> None:
    closed: list[str] = []

    async def task() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            closed.append("task")

    async def build(service: Service[CommonSettings]) -> None:
        async def close(name: str) -> None:
            closed.append(name)
            if name == "failing":
                raise OSError(name)

        service.on_close(lambda: close("database"))
        service.spawn("task", task())
        service.on_close(lambda: close("failing"))
        service.on_close(lambda: close("cache"))

    async with running_service("test", settings, build):
        await asyncio.sleep(0)
    assert closed == ["cache", "failing", "task", "database"]


async def test_build_that_fails_closes_what_it_had_opened(settings: CommonSettings) -> None:
    closed: list[str] = []

    async def build(service: Service[CommonSettings]) -> None:
        async def close() -> None:
            closed.append("database")

        service.on_close(close)
        raise OSError("no redis")

    with pytest.raises(OSError, match="no redis"):
        async with running_service("test", settings, build):
            pass
    assert closed == ["database"]


async def test_crash_of_a_task_stops_the_service_and_is_raised(settings: CommonSettings) -> None:
    async def crash() -> None:
        raise ValueError("boom")

    async def build(service: Service[CommonSettings]) -> None:
        service.spawn("crashing", crash())

    with pytest.raises(ValueError, match="boom"):
        async with running_service("test", settings, build) as service:
            await asyncio.wait_for(service.stopping.wait(), 5)


async def test_health_pages(settings: CommonSettings) -> None:
    broken = False

    async def ping() -> None:
        if broken:
            raise ConnectionError("refused")

    async def build(service: Service[CommonSettings]) -> None:
        service.check("redis", ping)
        service.meter.create_counter("roomscribe_words").add(3, {"engine": "moonshine"})

    async with running_service("test", settings, build) as service:
        port = service.health.port
        assert await _get(port, "/healthz") == (200, "ok\n")
        status, body = await _get(port, "/readyz")
        assert (status, json.loads(body)["checks"]) == (200, {"process": "ok", "redis": "ok", "nats": "ok"})
        broken = True
        status, body = await _get(port, "/readyz?verbose")
        assert (status, json.loads(body)["checks"]["redis"]) == (503, "ConnectionError: refused")
        status, body = await _get(port, "/metrics")
        assert status == 200
        assert 'roomscribe_words_total{engine="moonshine"} 3.0' in body
        assert (await _get(port, "/"))[0] == 404
        assert (await _get(port, "/healthz", "POST"))[0] == 405


@pytest.mark.parametrize("sent", [b"", b"\r\n\r\n", b"GET\r\n\r\n", b"\xff" * 20_000])
async def test_nonsense_on_the_health_port_harms_nothing(settings: CommonSettings, sent: bytes) -> None:
    async def build(_: Service[CommonSettings]) -> None:
        return

    async with running_service("test", settings, build) as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.health.port)
        writer.write(sent)
        writer.write_eof()
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert (await _get(service.health.port, "/healthz"))[0] == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_drains_and_exits_0(streams: str, number: signal.Signals) -> None:
    async with _program("wait", {"ROOMSCRIBE_NATS_URL": streams}) as process:
        await _line_with(process, "started")
        process.send_signal(number)
        assert await asyncio.wait_for(process.wait(), 15) == 0
        assert b'"stopped"' in await _rest(process)


@pytest.mark.parametrize("again", [signal.SIGTERM, signal.SIGINT])
async def test_a_service_that_drains_runs_on_until_a_second_signal(streams: str, again: signal.Signals) -> None:
    async with _program("drain", {"ROOMSCRIBE_NATS_URL": streams}) as process:
        await _line_with(process, "started")
        process.send_signal(signal.SIGTERM)
        await _line_with(process, "draining with state draining")
        process.send_signal(again)
        assert await asyncio.wait_for(process.wait(), 15) == 0
        rest = await _rest(process)
    assert b'"drain cut short"' in rest
    assert b'"stopped"' in rest


async def test_an_interrupt_does_not_wait_for_a_drain(streams: str) -> None:
    async with _program("drain", {"ROOMSCRIBE_NATS_URL": streams}) as process:
        await _line_with(process, "started")
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 15) == 0


async def test_a_service_that_has_drained_stops_by_itself(streams: str) -> None:
    async with _program("brief", {"ROOMSCRIBE_NATS_URL": streams}) as process:
        await _line_with(process, "started")
        process.send_signal(signal.SIGTERM)
        await _line_with(process, "drained")
        assert await asyncio.wait_for(process.wait(), 15) == 0


async def test_crash_exits_1_with_one_line_that_says_why(streams: str) -> None:
    async with _program("crash", {"ROOMSCRIBE_NATS_URL": streams}) as process:
        lines = await _lines(process)
        assert process.returncode == 1
    crashes = [line for line in lines if line["level"] == "critical"]
    assert [(c["message"], c["error"]) for c in crashes] == [("crashed", "ValueError: boom")]
    assert any("program.py" in at for at in list(crashes[0]["at"]))


async def test_unreachable_nats_is_named_with_its_setting() -> None:
    url = f"nats://user:secret@127.0.0.1:{_closed_port()}"
    async with _program("wait", {"ROOMSCRIBE_NATS_URL": url, "ROOMSCRIBE_START_TIMEOUT_S": "1"}) as process:
        (line,) = await _lines(process)
        assert process.returncode == 1
    assert line["message"] == "cannot start"
    assert "cannot reach NATS at nats://127.0.0.1:" in str(line["error"])
    assert "(from ROOMSCRIBE_NATS_URL)" in str(line["error"])
    assert "secret" not in str(line)


async def test_port_in_use_is_named_with_its_setting(streams: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        env = {"ROOMSCRIBE_NATS_URL": streams, "ROOMSCRIBE_HEALTH_PORT": str(port)}
        async with _program("wait", env) as process:
            (line,) = await _lines(process)
            assert process.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port} (from ROOMSCRIBE_HEALTH_HOST" in str(line["error"])


async def test_signal_while_nats_is_awaited_ends_at_once() -> None:
    env = {"ROOMSCRIBE_NATS_URL": f"nats://127.0.0.1:{_closed_port()}", "ROOMSCRIBE_LOG_LEVEL": "debug"}
    async with _program("wait", env) as process:
        await _line_with(process, "waiting for nats")
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 5) == 0


async def test_bad_settings_are_one_plain_line_each(streams: str) -> None:
    env = {"ROOMSCRIBE_NATS_URL": "http://x", "ROOMSCRIBE_HEALTH_PORT": "many"}
    async with _program("wait", env) as process:
        text = (await _rest(process)).decode()
        assert await process.wait() == 1
    assert [line.split(":")[0] for line in text.splitlines()] == ["ROOMSCRIBE_NATS_URL", "ROOMSCRIBE_HEALTH_PORT"]


@asynccontextmanager
async def _program(what: str, env: dict[str, str]) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, PROGRAM, what, env={**os.environ, **env}, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _line_with(process: asyncio.subprocess.Process, text: str) -> None:
    assert process.stderr is not None
    async with asyncio.timeout(20):
        while text not in (await process.stderr.readline()).decode():
            assert not process.stderr.at_eof(), f"{text!r} was never logged"


async def _rest(process: asyncio.subprocess.Process) -> bytes:
    assert process.stderr is not None
    return await asyncio.wait_for(process.stderr.read(), 20)


async def _lines(process: asyncio.subprocess.Process) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (await _rest(process)).splitlines()]
    await process.wait()
    return lines


async def _get(port: int, path: str, method: str = "GET") -> tuple[int, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = (await asyncio.wait_for(reader.read(), 5)).decode()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split(" ")[1]), body


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
