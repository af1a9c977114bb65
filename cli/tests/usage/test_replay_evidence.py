"""`roomscribe usage replay`: a ledger from a file, without a stack or a database."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from roomscribe_cli.commands import usage
from typer.testing import CliRunner, Result

JOINED = (
    '{"livekit": {"event": "participant_joined", "room": {"sid": "RM_1", "name": "planning"}, "participant": '
    '{"sid": "PA_anna", "identity": "anna", "state": "ACTIVE", "joinedAtMs": "1795000000250"}, "id": "EV_1", '
    '"createdAt": "1795000000"}}'
)
LEFT = JOINED.replace("participant_joined", "participant_left").replace('"1795000000"', '"1795000070"')
POLL = (
    '{"poll": {"room_sid": "RM_1", "at_ms": 1795000030000, "participants": '
    '[{"sid": "PA_bo", "identity": "bo", "kind": "STANDARD", "joined_at_ms": 1795000010000}]}}'
)
BEAT = (
    '{"heartbeat": {"job_id": "job_1", "epoch": 1, "seq": 4, "room_sid": "RM_1", "participant_sid": "PA_agent", '
    '"connected_at_ms": 1795000000000, "uptime_ms": 60001, "counters": {"stt_ms": 5}, "final": false}}'
)


def run(file: Path | str, *options: str) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    usage.register(app)
    return CliRunner().invoke(app, ["usage", "replay", str(file), *options], env={"COLUMNS": "120"})


def written(folder: Path, *lines: str) -> Path:
    path = folder / "evidence.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_ledger_is_printed_as_json_and_nothing_else(tmp_path: Path) -> None:
    result = run(written(tmp_path, JOINED, LEFT, POLL, BEAT), "--json")
    assert result.exit_code == 0, result.output
    ledger = json.loads(result.stdout)
    assert list(ledger) == ["connections", "agent_sessions", "digest"]
    anna, bo = ledger["connections"]
    assert anna == {
        "room_sid": "RM_1",
        "participant_sid": "PA_anna",
        "identity": "anna",
        "kind": "STANDARD",
        "start_ms": 1795000000250,
        "end_ms": 1795000070000,
        "end_basis": "left",
        "minutes": 2,
    }
    assert (bo["end_basis"], bo["minutes"]) == ("last_seen", 1)
    assert ledger["agent_sessions"] == [
        {
            "job_id": "job_1",
            "participant_sid": "PA_agent",
            "start_ms": 1795000000000,
            "end_ms": 1795000060001,
            "minutes": 2,
        }
    ]


def test_order_and_repetition_change_no_byte_of_it(tmp_path: Path) -> None:
    once = run(written(tmp_path, JOINED, LEFT, POLL, BEAT), "--json").stdout
    assert run(written(tmp_path, BEAT, LEFT, LEFT, POLL, JOINED, BEAT), "--json").stdout == once


def test_a_bad_line_is_named_by_number_and_left_out(tmp_path: Path) -> None:
    file = written(tmp_path, LEFT, "not json", BEAT.replace("60001", "-1"), POLL)
    result = run(file, "--json")
    assert result.exit_code == 0
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == ["line 2", "line 3"]
    assert "heartbeat.uptime_ms: Input should be greater than or equal to 0" in result.stderr
    assert len(json.loads(result.stdout)["connections"]) == 2


def test_strict_stops_at_the_first_bad_line_and_prints_no_ledger(tmp_path: Path) -> None:
    result = run(written(tmp_path, LEFT, "not json", "{}", POLL), "--json", "--strict")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("roomscribe usage replay: line 2: ")
    assert "line 3" not in result.stderr


def test_the_tables_show_who_was_there_for_how_long_and_what_is_billed(tmp_path: Path) -> None:
    result = run(written(tmp_path, LEFT, POLL, BEAT))
    assert result.exit_code == 0, result.output
    for words in (
        "anna",
        "PA_agent",
        "0:01:09.750",
        "last seen",
        "2 connections, 3 minutes billed",
        "2 minutes billed",
    ):
        assert words in result.output
    assert max(len(line) for line in result.output.splitlines()) <= 120


def test_a_further_kind_is_billed_where_it_is_asked_for(tmp_path: Path) -> None:
    file = written(tmp_path, POLL.replace("STANDARD", "CONNECTOR"))
    assert json.loads(run(file, "--json").stdout)["connections"] == []
    assert len(json.loads(run(file, "--json", "--kind", "CONNECTOR").stdout)["connections"]) == 1


@pytest.mark.parametrize("missing", ["no-such-file.jsonl", "."])
def test_a_file_that_cannot_be_read_is_named(missing: str) -> None:
    result = run(missing, "--json")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"roomscribe usage replay: {missing} cannot be read: ")


def test_evidence_is_read_from_standard_input_by_the_installed_command() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "roomscribe_cli", "usage", "replay", "-", "--json"],
        input=f"{LEFT}\n".encode(),
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert [one["minutes"] for one in json.loads(found.stdout)["connections"]] == [2]
