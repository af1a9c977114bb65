"""Several processes of one service in the local stack."""

import os
import signal

import pytest
from roomscribe_cli.local.plan import stop_waves
from roomscribe_cli.local.record import SERVICES, StackError, StackRecord
from roomscribe_cli.local.replicas import parse_replicas, process_names, service_of
from roomscribe_cli.testing import Stacks, run
from roomscribe_common.servers.wait import until


def test_every_replica_has_a_name_and_its_service_can_be_told_from_it() -> None:
    names = process_names(parse_replicas("stt-worker=3, media-ingest=2"))
    assert [n for n in names if service_of(n) == "stt-worker"] == ["stt-worker", "stt-worker-2", "stt-worker-3"]
    assert {service_of(name) for name in names} == set(SERVICES)
    assert len(names) == len(SERVICES) + 3
    assert service_of("usage-metering") == "usage-metering"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("parrot=2", "no replicas of 'parrot'"),
        ("gateway=2", "no replicas of 'gateway'"),
        ("stt-worker=0", "stt-worker= and a number from 1"),
        ("stt-worker=many", "stt-worker= and a number from 1"),
        ("stt-worker", "stt-worker= and a number from 1"),
    ],
)
def test_what_cannot_be_replicated_is_refused_with_what_can(asked: str, said: str) -> None:
    with pytest.raises(StackError, match=said):
        parse_replicas(asked)


def test_a_record_keeps_its_ports_when_replicas_come_and_go() -> None:
    record = StackRecord.new()
    before = dict(record.ports)
    record.run(process_names({"attribution": 3}))
    assert {name: record.ports[name] for name in before} == before
    assert len(set(record.ports.values())) == len(before) + 2
    grown = dict(record.ports)
    record.run(process_names({}))
    assert record.ports == grown


def test_replicas_end_with_their_service() -> None:
    waves = stop_waves(["nats", *process_names({"media-ingest": 2})])
    assert waves[1] == ["media-ingest", "media-ingest-2"]
    assert waves[-1] == ["nats"]


def test_replicas_run_are_shown_restarted_and_examined_as_any_process(stacks: Stacks) -> None:
    up = stacks.up(replicas="media-ingest=2,stt-worker=2").wait_ready()
    assert {"media-ingest-2", "stt-worker-2"} <= set(up.facts.processes)
    assert len(set(up.facts.processes.values())) == len(SERVICES) + 2 + 3
    before = up.ps()
    os.kill(before["stt-worker-2"], signal.SIGKILL)
    assert until(lambda: up.ps().get("stt-worker-2", before["stt-worker-2"]) != before["stt-worker-2"], timeout_s=10)
    assert "stt-worker-2 killed by SIGKILL" in up.said()
    assert until(lambda: f"ready, process {up.ps()['media-ingest-2']}" in doctor(str(up.state)), timeout_s=20)
    assert up.end() == 0


def doctor(state: str) -> str:
    return run("doctor", "--state", state).stdout


def test_a_refused_number_of_replicas_starts_nothing(stacks: Stacks) -> None:
    up = stacks.up(replicas="gateway=2")
    assert up.process.wait(30) == 1
    assert "no replicas of 'gateway'" in up.said()
