"""A meeting's bill through the gateway and usage-metering as they run: every line down to the events it rests on."""

import asyncio
import csv
import io
import json
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pypdfium2  # pyright: ignore[reportMissingTypeStubs]  # the package ships no types
import pytest
from nats.js import JetStreamContext
from roomscribe_common import connection
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.agent import AgentJoined, AgentJoinedData, AgentLeft, AgentLeftData, Counters
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.livekit import LivekitEvent, LivekitEventData
from roomscribe_common.contracts.meeting import (
    MeetingEnded,
    MeetingEndedData,
    MeetingRequested,
    MeetingRequestedData,
    MeetingStarted,
    MeetingStartedData,
)
from roomscribe_common.subjects import UNKNOWN, subject_of
from roomscribe_common.testing.service import running_service
from roomscribe_common.testing.until import until
from roomscribe_gateway import app as gateway
from roomscribe_gateway.settings import GatewaySettings
from roomscribe_usage_metering import app as metering
from roomscribe_usage_metering.settings import Settings

ACME, GLOBEX = "key-of-acme-1", "key-of-globex"
MEETING, ROOM, SID, JOB, AGENT = "mtg_bill", "会議室", "RM_bill", "job_bill", "PA_agent"
LASTED = timedelta(seconds=75)
CHARGES = {
    "webrtc_participant_minutes": {"unit_price": "0.5"},
    "agent_session_minutes": {"unit_price": "0.125"},
}


def _start() -> datetime:
    """A while ago, and the whole meeting in one month."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
    return start if (start + LASTED).month == start.month else start + timedelta(minutes=3)


def _events(start: datetime) -> list[AnyEvent]:
    end = start + LASTED
    agent: dict[str, Any] = {
        "meeting_id": MEETING,
        "room": ROOM,
        "job_id": JOB,
        "epoch": 1,
        "room_sid": SID,
        "participant_sid": AGENT,
        "identity": f"roomscribe-{MEETING}",
        "node": "node",
        "joined_at": start,
    }
    left = {"left_at": end, "uptime_ms": 75_000, "reason": "requested", "counters": Counters()}
    known = {"meeting_id": MEETING, "room": ROOM, "started_at": start}
    asked = {**known, "requested_at": start, "empty_room_timeout_s": 30.0}
    began = {**known, "room_sid": SID, "joined_at": start, "epoch": 1}
    return [
        _event(MeetingRequested, MeetingRequestedData.model_validate(asked)),
        _event(MeetingStarted, MeetingStartedData.model_validate(began)),
        _event(AgentJoined, AgentJoinedData.model_validate({**agent, "connect_ms": 80})),
        _left("PA_ada", "ada", start, end),
        _left(AGENT, agent["identity"], start, end, "AGENT"),
        _event(AgentLeft, AgentLeftData.model_validate({**agent, **left})),
        _event(MeetingEnded, MeetingEndedData.model_validate({**known, "ended_at": end, "reason": "requested"})),
    ]


def _event(model: type[Any], data: Any) -> AnyEvent:
    subject = subject_of(model, "acme", MEETING)
    return model.new(id=f"{model.TYPE}:{MEETING}", source="test", subject=subject, tenant="acme", data=data)


def _left(sid: str, identity: str, joined: datetime, at: datetime, kind: str = "STANDARD") -> LivekitEvent:
    who = {"sid": sid, "identity": identity, "kind": kind, "joinedAtMs": str(int(joined.timestamp() * 1000))}
    body: dict[str, Any] = {"event": "participant_left", "room": {"sid": SID}, "participant": who}
    data = LivekitEventData(
        event="participant_left", livekit_id=f"EV_{sid}", room_sid=SID, created_at=at, received_at=at, body=body
    )
    subject = subject_of(LivekitEvent, UNKNOWN, SID)
    return LivekitEvent.new(id=f"EV_{sid}", source="test", subject=subject, tenant=UNKNOWN, data=data)


@pytest.fixture
async def client(streams: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    (tmp_path / "accounts.json").write_text(json.dumps({"tenants": {"acme": {"charges": CHARGES}}}))
    edge: dict[str, object] = {
        "nats_url": streams,
        "database_url": f"sqlite+aiosqlite:///{tmp_path}/archive.db",
        "gateway_port": port,
        "gateway_api_keys": {ACME: "acme", GLOBEX: "globex"},
        "gateway_command_timeout_s": 10.0,
    }
    ledger: dict[str, object] = {
        "nats_url": streams,
        "database_url": f"sqlite+aiosqlite:///{tmp_path}/usage.db",
        "usage_accounts": tmp_path / "accounts.json",
        "usage_quiet_s": 0.1,
        "usage_close_grace_s": 0.1,
    }
    headers = {"Authorization": f"Bearer {ACME}"}
    async with (
        running_service("usage-metering", Settings.model_validate(ledger), metering.build),
        running_service("gateway", GatewaySettings.model_validate(edge), gateway.build),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as found,
    ):
        yield found


async def _held(client: httpx.AsyncClient, streams: str) -> str:
    """Holds the meeting; the period it is paid in, once its ledger is closed."""
    start = _start()
    nc = await connection.connect(streams, "test")
    try:
        bus = Bus(nc, JetStreamContext(nc), "test")
        for event in _events(start):
            await bus.publish(event)
    finally:
        await connection.close(nc)

    async def closed() -> bool:
        try:
            response = await client.get(f"/v1/meetings/{MEETING}/usage")
        except httpx.TransportError:
            return False
        return response.status_code == 200 and response.json()["closed"]

    await until(closed)
    return f"{start:%Y-%m}"


async def test_a_bill_is_explained_line_by_line_down_to_events(client: httpx.AsyncClient, streams: str) -> None:
    period = await _held(client, streams)
    found = await _get(client, f"/v1/invoices/{period}")
    invoice = found["invoice"]
    lines = {line["meter"]: line for line in invoice["lines"]}
    # Two connections of 75 s are 4 minutes, one session is 2; the base of Ship comes on top.
    assert {meter: line["amount"] for meter, line in lines.items() if Decimal(line["amount"])} == {
        "plan_base": "50.00",
        "webrtc_participant_minutes": "2.00",
        "agent_session_minutes": "0.25",
    }
    assert invoice["total"] == "52.25"
    assert [(one["meeting_id"], one["room"], one["amount"]) for one in found["meetings"]] == [(MEETING, ROOM, "52.25")]
    for meter, sources in (("webrtc_participant_minutes", {"PA_ada", AGENT}), ("agent_session_minutes", {JOB})):
        await _explained(client, period, lines[meter], sources)
    await _files(client, period)
    await _compared(client, period)
    await _nobody_else(client, period)


async def _explained(client: httpx.AsyncClient, period: str, line: dict[str, Any], subjects: set[str]) -> None:
    entries = (await _get(client, f"/v1/invoices/{period}/lines/{quote(line['line_id'], safe='')}"))["entries"]
    assert sum(Decimal(entry["billed"]) for entry in entries) == Decimal(line["quantity"])
    assert len(entries) == len(subjects)
    for entry in entries:
        assert any(subject in entry["line_id"] for subject in subjects)
        path = f"/v1/meetings/{entry['meeting_id']}/usage/lines/{quote(entry['line_id'], safe='')}"
        below = await _get(client, path)
        assert len(below["ticks"]) == entry["steps"]
        assert {tick["period"] for tick in below["ticks"]} == {period}
        assert below["events"], below["summary"]
        assert all(len(event["hash"]) == 64 and event["sequence"] > 0 for event in below["events"])


async def _files(client: httpx.AsyncClient, period: str) -> None:
    table = (await client.get(f"/v1/invoices/{period}?format=csv")).text
    rows = list(csv.DictReader(io.StringIO(table)))
    for column in ("amount", "share"):
        assert sum(Decimal(row[column] or 0) for row in rows) == Decimal("52.25")
    file = (await client.get(f"/v1/invoices/{period}?format=pdf")).content
    document = pypdfium2.PdfDocument(file)
    try:
        text = document[0].get_textpage().get_text_range()  # pyright: ignore[reportUnknownMemberType]
    finally:
        document.close()
    for words in ("Draft invoice", "52.25", ROOM, MEETING):
        assert words in text


async def _compared(client: httpx.AsyncClient, period: str) -> None:
    expected = {"meetings": 1, "minutes": 2, "humans": 2, "stt": {"usd_per_minute": "0"}}
    for path in (f"/v1/invoices/{period}/compare", "/v1/invoices/current/compare"):
        assert (await client.post(path, json=expected)).status_code == 200
    found = (await client.post(f"/v1/meetings/{MEETING}/usage/compare", json=expected)).json()
    assert sum(Decimal(cause["effect"]) for cause in found["causes"]) == Decimal(found["difference"])
    assert Decimal(found["actual_total"]) - Decimal(found["forecast_total"]) == Decimal(found["difference"])
    forecast = await _get(client, f"/v1/usage/forecast?period={period}")
    assert Decimal(forecast["actual_total"]) == Decimal("52.25") <= Decimal(forecast["expected_total"])


async def _nobody_else(client: httpx.AsyncClient, period: str) -> None:
    paths = (f"invoices/{period}", f"invoices/{period}/lines/x", f"meetings/{MEETING}/usage/lines/webrtc:PA_ada")
    for path in paths:
        response = await client.get(f"/v1/{path}", headers={"Authorization": f"Bearer {GLOBEX}"})
        assert response.status_code == 404, (path, response.text)
        assert ROOM not in response.text


async def _get(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        response = await client.get(path)
    assert response.status_code == 200, (path, response.text)
    return response.json()
