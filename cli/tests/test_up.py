"""The local stack: comes up whole, survives the death of any process, and leaves nothing behind."""

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from roomscribe_cli.local.record import SERVICES, StackRecord, StateFolder
from roomscribe_cli.testing import Stacks, Up, run
from roomscribe_common import connection
from roomscribe_common.servers import ping
from roomscribe_common.servers.ports import port_in_use
from roomscribe_common.servers.wait import until
from roomscribe_common.streams import STREAMS

SERVERS = ("nats", "redis", "livekit")
Misbehaving = Callable[[dict[str, str]], dict[str, str]]


def test_the_first_line_names_everything_that_runs(shared: Up) -> None:
    facts = shared.facts
    assert sorted(facts.processes) == sorted([*SERVERS, *SERVICES])
    assert facts.livekit is not None
    assert ping.nats(port_of(facts.nats))
    assert ping.redis(port_of(facts.redis))
    assert ping.http(port_of(facts.livekit.url))[0] == 200


async def test_the_streams_are_there_when_it_is_ready(shared: Up) -> None:
    client = await connection.connect(shared.facts.nats, "test")
    try:
        jetstream = client.jetstream()  # pyright: ignore[reportUnknownMemberType]  # untyped keywords
        found = {str(info.config.name) for info in await jetstream.streams_info()}
    finally:
        await client.close()
    assert {stream.name for stream in STREAMS} <= found


def test_rooms_are_among_the_processes(shared: Up) -> None:
    assert until(lambda: "room-mtg_one" in shared.ps(), timeout_s=10)


def test_a_second_stack_on_the_same_state_is_refused(shared: Up, stacks: Stacks) -> None:
    before = shared.ps()
    second = stacks.up(state=str(shared.state))
    assert second.process.wait(30) == 1
    assert f"a stack is already running in {shared.state}" in second.said()
    assert shared.ps() == before


@pytest.mark.parametrize("name", ["nats", "livekit", "stt-worker"])
def test_a_killed_process_is_shown_and_comes_back_at_once(shared: Up, name: str) -> None:
    before = shared.ps()
    os.kill(before[name], signal.SIGKILL)
    assert until(lambda: shared.ps().get(name, before[name]) != before[name], timeout_s=10)
    assert f"{name} killed by SIGKILL" in shared.said()
    assert until(lambda: all_ready(shared), timeout_s=10)
    after = shared.ps()
    assert {other: pid for other, pid in after.items() if pid != before[other]} == {name: after[name]}


def test_a_crash_is_shown_with_the_end_of_the_log(shared: Up) -> None:
    gateway = shared.ps()["gateway"]
    os.kill(gateway, signal.SIGKILL)
    assert until(lambda: f"roomscribe_gateway starts as process {gateway}" in shared.said(), timeout_s=5)


def test_doctor_finds_a_running_stack_ready(shared: Up) -> None:
    assert until(lambda: all_ready(shared), timeout_s=10)
    done = run("doctor", "--state", str(shared.state))
    assert done.returncode == 0, done.stdout
    assert f"ready, process {shared.ps()['gateway']}" in done.stdout


def test_told_to_end_it_leaves_no_process_and_no_port(stacks: Stacks) -> None:
    up = stacks.up().wait_ready()
    assert up.end() == 0
    assert [name for name, pid in up.facts.processes.items() if psutil.pid_exists(pid)] == []
    assert [name for name, port in up.record().ports.items() if port_in_use(port)] == []


def test_a_killed_supervisor_takes_its_children_along_and_its_successor_is_the_same_stack(
    stacks: Stacks, misbehaving: Misbehaving
) -> None:
    up = stacks.up(env=misbehaving({"media-ingest": "holds a room"})).wait_ready()
    assert until(lambda: "room-mtg_one" in up.ps(), timeout_s=10)
    room = up.ps()["room-mtg_one"]
    log = (up.state / "logs" / "gateway.log").read_text()
    up.end(signal.SIGKILL)
    assert until(lambda: not any(map(psutil.pid_exists, up.facts.processes.values())), timeout_s=5)
    assert run("ps", "--state", str(up.state)).returncode == 1
    again = stacks.up().wait_ready()
    assert until(lambda: not psutil.pid_exists(room), timeout_s=5)
    assert again.facts.model_copy(update={"processes": {}}) == up.facts.model_copy(update={"processes": {}})
    assert (up.state / "logs" / "gateway.log.1").read_text() == log


def test_a_port_in_use_is_named_with_who_uses_it(stacks: Stacks) -> None:
    folder = StateFolder(stacks.folder / "state")
    folder.path.mkdir()
    folder.write(StackRecord.new())
    record = folder.read()
    assert record is not None
    port = record.ports["gateway"]
    with socket.create_server(("127.0.0.1", port)):
        up = stacks.up()
        assert up.process.wait(30) == 1
    assert f"{port} (gateway) by process {os.getpid()}" in up.said()


def test_a_record_that_cannot_be_read_is_refused(stacks: Stacks) -> None:
    (stacks.folder / "state").mkdir()
    (stacks.folder / "state" / "stack.json").write_text("{")
    up = stacks.up()
    assert up.process.wait(30) == 1
    assert "stack.json cannot be read" in up.said()


def test_without_livekit_everything_else_runs_and_it_says_so(stacks: Stacks, tmp_path: Path) -> None:
    nowhere = {"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(tmp_path), "GOPROXY": "off", "GOMODCACHE": str(tmp_path)}
    up = stacks.up(env=nowhere).wait_ready()
    assert up.facts.livekit is None
    assert sorted(up.facts.processes) == sorted(["nats", "redis", *SERVICES])
    assert "running without LiveKit" in up.said()


def test_a_livekit_named_by_the_environment_is_used_instead_of_our_own(stacks: Stacks) -> None:
    named = {"URL": "wss://livekit.example.org", "API_KEY": "theirs", "API_SECRET": "secret"}
    up = stacks.up(env={f"ROOMSCRIBE_LIVEKIT_{name}": value for name, value in named.items()}).wait_ready()
    assert up.facts.livekit is not None
    assert up.facts.livekit.model_dump() == {name.lower(): value for name, value in named.items()}
    assert "livekit" not in up.facts.processes


def test_a_service_that_cannot_start_ends_the_attempt_with_its_reason(stacks: Stacks, misbehaving: Misbehaving) -> None:
    up = stacks.up(env=misbehaving({"stt-worker": "fails"}))
    assert up.process.wait(30) == 1
    assert "stt-worker ended 3 times and was never ready" in up.said()
    assert "there is no engine named parrot" in up.said()


def test_services_that_ignore_the_request_to_end_are_killed_in_time(stacks: Stacks, misbehaving: Misbehaving) -> None:
    stubborn = ("gateway", "media-ingest", "summarizer")
    up = stacks.up(env=misbehaving(dict.fromkeys(stubborn, "ignores SIGTERM"))).wait_ready()
    told = time.monotonic()
    assert up.end(signal.SIGINT) == 0
    assert time.monotonic() - told < 40


def test_a_service_that_is_not_ready_is_named_by_doctor_and_ends_when_told(
    stacks: Stacks, misbehaving: Misbehaving
) -> None:
    up = stacks.up(env=misbehaving({"stt-worker": "never ready"}))
    assert until(lambda: "stt-worker" in started_processes(up), timeout_s=30)
    assert until(lambda: '{"model": "missing"}' in run("doctor", "--state", str(up.state)).stdout, timeout_s=20)
    assert run("doctor", "--state", str(up.state)).returncode == 1
    assert up.end() == 0


def port_of(url: str) -> int:
    return urlsplit(url).port or 0


def all_ready(up: Up) -> bool:
    ports = up.record().ports
    services = all(ping.http(ports[f"{name}-health"], "/readyz")[0] == 200 for name in SERVICES)
    return services and ping.nats(ports["nats"]) and ping.http(ports["livekit"])[0] == 200


def started_processes(up: Up) -> dict[str, int]:
    record = StateFolder(up.state).read()
    return record.processes if record else {}
