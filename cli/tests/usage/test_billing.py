"""`roomscribe usage invoice`, `explain`, `compare` and `forecast` against a gateway that answers from memory."""

import json
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote

import pytest
import typer
from roomscribe_cli.commands import usage
from typer.testing import CliRunner, Result

PRICE = "livekit-cloud-scale@2026-06-02"
LINE = {
    "line_id": f"{PRICE}:agent_session_minutes",
    "kind": "usage",
    "meter": "agent_session_minutes",
    "description": "Sessions of agents",
    "of_period": "2026-10",
    "price": PRICE,
    "unit": "min",
    "quantity": "90000",
    "allowance": "50000",
    "overage": "40000",
    "unit_price": "0.01",
    "amount": "400.00",
    "quality": "estimated",
}
INVOICE = {
    "number": "2026-10-1",
    "period": "2026-10",
    "state": "closed",
    "starts_at": "2026-09-30T22:00:00Z",
    "ends_at": "2026-10-31T23:00:00Z",
    "time_zone": "Europe/Vienna",
    "currency": "USD",
    "plan": "LiveKit Cloud Scale",
    "lines": [LINE],
    "total": "400.00",
    "notes": ["12 min of speech to text: used at no charge."],
}
CREDIT_NOTE = INVOICE | {
    "kind": "credit_note",
    "number": "2026-10-1-C1",
    "corrects": "2026-10-1",
    "lines": [LINE | {"kind": "correction", "of_period": "2026-09", "amount": "-2.40"}],
    "total": "-2.40",
    "notes": [],
}
ENTRY = {
    "key": "ab",
    "meeting_id": "mtg_0",
    "line_id": "agent:job/1",
    "meter": "agent_session_minutes",
    "period": "2026-10",
    "of_period": "2026-09",
    "price": PRICE,
    "version": 2,
    "corrects": "aa",
    "steps": -3,
    "billed": "-3",
    "billed_unit": "minutes",
    "basis": "last_heartbeat",
}
EVENT = {
    "source": "media-ingest",
    "id": "evt_9",
    "kind": "heartbeat",
    "fact": {
        "kind": "heartbeat",
        "room_sid": "RM_1",
        "joined_ms": 1795370710487,
        "uptime_ms": 61000,
        "left": False,
        "models": [{"model": "m-1", "characters": 7}],
    },
    "stored_at": "2026-10-01T09:01:02Z",
    "chain": "2026-10",
    "sequence": 7,
    "hash": "0123456789abcdef",
}
TICK = {"number": 0, "at": "2026-10-01T09:00:00.250Z", "period": "2026-10"}
COMPARISON = {
    "plan": "livekit-cloud-scale",
    "currency": "USD",
    "forecast_total": "1280.00",
    "actual_total": "1440.00",
    "difference": "160.00",
    "causes": [{"input": "minutes", "forecast": "40", "actual": "45", "effect": "160.00"}],
    "final": True,
}
FORECAST = {
    "period": "2026-11",
    "currency": "USD",
    "as_of": "2026-11-22T00:00:00Z",
    "actual": {"agent_session_minutes": "70000"},
    "expected": {"agent_session_minutes": "95000"},
    "actual_total": "700.00",
    "expected_total": "950.00",
    "low_total": "900.00",
    "high_total": "1000.00",
    "days_of_history": 21,
}


def share(number: int) -> dict[str, Any]:
    return {"meeting_id": f"mtg_{number}", "room": "[b]plan[/b]", "amount": "200.00", "lines": {LINE["line_id"]: "200"}}


def invoice(number: int, cursor: str | None) -> dict[str, Any]:
    notes = [CREDIT_NOTE] if cursor else []
    return {"invoice": INVOICE, "credit_notes": notes, "meetings": [share(number)], "next_cursor": cursor}


def explained(line: str, **more: object) -> dict[str, Any]:
    return {"line_id": line, "summary": f"Why {line} is as it is."} | more


ANSWERS: dict[str, object] = {
    "GET /v1/invoices/2026-10": invoice(0, "mtg_0"),
    "GET /v1/invoices/current": invoice(0, "mtg_0"),
    "GET /v1/invoices/2026-10?cursor=mtg_0": invoice(1, None),
    "GET /v1/invoices/2026-10?format=pdf": b"%PDF",
    "GET /v1/invoices/current/lines/agents": explained(
        "agents",
        entries=[ENTRY],
        ticks=[TICK | {"entry": ENTRY["key"]}, TICK | {"entry": "another", "period": "1999-01"}],
        events=[EVENT | {"entry": ENTRY["key"]}],
        next_cursor="e:1",
    ),
    "GET /v1/invoices/2026-10/lines/agents?cursor=e:1": explained("agents", entries=[ENTRY]),
    "GET /v1/invoices/current/lines/long": explained(
        "long", entries=[ENTRY | {"ticks_left_out": 1260, "events_left_out": 104}]
    ),
    "GET /v1/meetings/mtg_0/usage/lines/agent:job/1": explained("agent:job/1", ticks=[TICK], events=[EVENT]),
    "POST /v1/invoices/2026-10/compare": COMPARISON,
    "POST /v1/meetings/mtg_0/usage/compare": COMPARISON,
    "GET /v1/usage/forecast": FORECAST,
}


class Answering(BaseHTTPRequestHandler):
    asked: list[tuple[str, str]]

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        call = f"{self.command} {unquote(self.path)}"
        type(self).asked.append((call, body))
        answer = ANSWERS.get(call)
        status = 200 if answer else 404
        problem = {"type": "urn:x", "title": "No such period", "status": 404, "detail": f"There is no {call}."}
        content = answer if isinstance(answer, bytes) else json.dumps(answer or problem).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Generator[list[tuple[str, str]]]:
    """Runs the gateway; what it was asked."""

    class Handler(Answering):
        asked: list[tuple[str, str]] = []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("ROOMSCRIBE_GATEWAY_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("ROOMSCRIBE_API_KEY", "key")
    yield Handler.asked
    server.shutdown()
    thread.join()
    server.server_close()


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    usage.register(app)
    return CliRunner().invoke(app, ["usage", *arguments], env={"COLUMNS": "120"})


def test_an_invoice_is_shown_with_its_credit_note_its_notes_and_its_meetings(asked: list[tuple[str, str]]) -> None:
    result = run("invoice")
    assert result.exit_code == 0, result.output
    words = ("Invoice 2026-10-1 (closed", "Sessions of agents (estimated)", "40,000", "400.00", "█", "at no charge")
    for word in (
        *words,
        "Credit note 2026-10-1-C1",
        "(for 2026-09, estimated)",
        "-2.40",
        "397.60 USD",
        "[b]plan[/b]",
        "first page",
    ):
        assert word in result.output, word
    assert max(len(line) for line in result.output.splitlines()) <= 120


def test_json_has_every_meeting(asked: list[tuple[str, str]], tmp_path: Path) -> None:
    found = json.loads(run("invoice", "2026-10", "--json").stdout)
    assert [one["meeting_id"] for one in found["meetings"]] == ["mtg_0", "mtg_1"]
    assert found["next_cursor"] is None
    assert run("invoice", "2026-10", "--out", str(tmp_path / "i.json")).exit_code == 0
    assert json.loads((tmp_path / "i.json").read_text()) == found


def test_a_file_is_written_as_its_name_says(asked: list[tuple[str, str]], tmp_path: Path) -> None:
    assert run("invoice", "2026-10", "--out", str(tmp_path / "i.PDF")).exit_code == 0
    assert (tmp_path / "i.PDF").read_bytes() == b"%PDF"
    refused = run("invoice", "--out", "invoice.docx")
    assert (refused.exit_code, ".pdf, .csv, .json" in refused.stderr) == (2, True)
    lost = run("invoice", "2026-10", "--out", str(tmp_path / "none" / "i.pdf"))
    assert (lost.exit_code, "cannot write" in lost.stderr) == (2, True)


def test_a_line_is_walked_down_to_ticks_and_events(asked: list[tuple[str, str]]) -> None:
    result = run("explain", "agents")
    assert result.exit_code == 0, result.output
    words = ("Why agents is", "mtg_0", "2026-09, paid in 2026-10", "(not booked yet)", "--after e:1")
    for word in (
        *words,
        "its largest entry: agent:job/1 of mtg_0",
        "2026-10-01 09:00:00.250Z",
        "evt_9",
        "2026-10 #7 01234567",
    ):
        assert word in result.output, word
    assert "joined 18:05:10.487Z, uptime 61,000 ms, models model m-1, characters 7" in result.output
    assert "1999-01" not in result.output
    assert [call for call, _ in asked] == ["GET /v1/invoices/current/lines/agents"]


def test_what_does_not_fit_into_the_answer_is_named_with_the_command_that_tells_it(
    asked: list[tuple[str, str]],
) -> None:
    told = " ".join(run("explain", "long").output.split())
    assert "has not all: 1,260 more ticks and 104 more events of agent:job/1 are told by" in told
    assert "roomscribe usage explain agent:job/1 --meeting mtg_0" in told
    assert "has not all" not in run("explain", "agents").output


def test_the_next_page_and_a_meetings_own_line_are_explained_as_json(asked: list[tuple[str, str]]) -> None:
    page = json.loads(run("explain", "agents", "--period", "2026-10", "--after", "e:1", "--json").stdout)
    assert page["entries"][0]["steps"] == -3
    own = json.loads(run("explain", "agent:job/1", "--meeting", "mtg_0", "--json").stdout)
    assert own["events"][0]["sequence"] == 7


def test_what_was_expected_is_compared_and_the_input_that_was_off_is_named(asked: list[tuple[str, str]]) -> None:
    result = run("compare", "2026-10", "--meetings", "2000", "--minutes", "40", "--humans", "5")
    assert result.exit_code == 0, result.output
    for word in ("1,440.00 USD", "160.00 USD", "minutes", "final"):
        assert word in result.output, word
    assert json.loads(run("compare", "--meeting", "mtg_0", "--minutes", "40", "--humans", "5", "--json").stdout)
    month, meeting = [json.loads(body) for _, body in asked]
    assert month == {"meetings": 2000, "minutes": "40", "humans": 5}
    assert meeting == {"meetings": 1, "minutes": "40", "humans": 5}


def test_the_forecast_is_shown_with_its_interval(asked: list[tuple[str, str]]) -> None:
    result = run("forecast")
    for word in ("2026-11", "70,000", "95,000", "950.00 USD", "900.00 to 1,000.00 USD", "21 days"):
        assert word in result.output, word
    assert json.loads(run("forecast", "--json").stdout)["high_total"] == "1000.00"


@pytest.mark.parametrize(
    ("arguments", "status", "why"),
    [
        (("invoice", "2031-01"), 1, "There is no GET /v1/invoices/2031-01."),
        (("invoice", "../meetings"), 1, "There is no GET /v1/invoices/../meetings."),
        (("explain", "nothing"), 1, "No such period"),
        (("compare", "2026-10", "--minutes", "-1", "--humans", "5", "--meetings", "1"), 2, "minutes: must be"),
        (("compare", "2026-10"), 2, "meetings: Field required"),
        (("forecast", "2031-01"), 1, "No such period"),
    ],
)
def test_a_refusal_is_told_in_words(
    asked: list[tuple[str, str]], arguments: tuple[str, ...], status: int, why: str
) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (status, "")
    assert why in result.stderr
