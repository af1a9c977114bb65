"""The two price routes, through the gateway and usage-metering as they run."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from roomscribe_common.testing.service import running_service
from roomscribe_gateway import app as gateway
from roomscribe_gateway.settings import GatewaySettings
from roomscribe_usage_metering import app as metering
from roomscribe_usage_metering.settings import Settings

KEY = "key-of-acme-1"
ARTICLE: dict[str, Any] = {
    "meetings": 2000,
    "minutes": 45,
    "humans": 5,
    "agents": 1,
    "plan": "livekit-cloud-scale",
    "mode": "listen",
    "stt": {"basis": "mixed", "usd_per_minute": "0.006"},
    "tts": {"usd_per_minute": "0.03", "talk_share": "1"},
}


@pytest.fixture
async def client(streams: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    edge: dict[str, object] = {
        "nats_url": streams,
        "database_url": f"sqlite+aiosqlite:///{tmp_path}/archive.db",
        "gateway_port": port,
        "gateway_api_keys": {KEY: "acme"},
        "gateway_command_timeout_s": 10.0,
    }
    ledger: dict[str, object] = {"nats_url": streams, "database_url": f"sqlite+aiosqlite:///{tmp_path}/usage.db"}
    headers = {"Authorization": f"Bearer {KEY}"}
    async with (
        running_service("usage-metering", Settings.model_validate(ledger), metering.build),
        running_service("gateway", GatewaySettings.model_validate(edge), gateway.build),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=20) as found,
    ):
        await _answers(found)
        yield found


async def _answers(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                if (await client.get("/healthz")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.02)


async def test_both_answer_as_they_are_described_and_refuse_by_field_value_and_limit(client: httpx.AsyncClient) -> None:
    await _estimates(client)
    await _cost_model(client)
    await _refusals(client)


async def _estimates(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/estimates", json=ARTICLE)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert (answer["currency"], answer["total"]) == ("USD", "1440.00")
    amounts = {line["meter"]: line["amount"] for line in answer["lines"]}
    assert amounts["agent_session_minutes"] == "400.00"
    assert amounts["stt_audio_minutes"] == "540.00"
    for line in answer["lines"]:
        assert {"meter", "quantity", "allowance", "overage", "unit_price", "amount"} <= line.keys()
    talking = await client.post("/v1/estimates", json={**ARTICLE, "mode": "copilot"})
    assert talking.json()["total"] == "4140.00"
    assert not _floats(answer)


async def _cost_model(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/cost-model", json={})
    assert response.status_code == 200, response.text
    answer = response.json()
    expected = {"monthly": "1036.60", "annual": "12439.20", "margin": "22560.80", "fleet_annual": "310980.00"}
    assert {name: answer[name] for name in expected} == expected
    assert not _floats(answer)


def _floats(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_floats(one) for one in value.values())  # pyright: ignore[reportUnknownVariableType]  # any JSON
    if isinstance(value, list):
        return any(_floats(one) for one in value)  # pyright: ignore[reportUnknownVariableType]  # any JSON
    return isinstance(value, float)


async def _refusals(client: httpx.AsyncClient) -> None:
    cases: list[tuple[str, dict[str, Any], str, str]] = [
        ("/v1/estimates", {**ARTICLE, "people": 5}, "people", "unknown field"),
        ("/v1/estimates", {**ARTICLE, "meetings": -1}, "meetings", "must be a whole number, 0 to 1000000000; it is -1"),
        ("/v1/estimates", {**ARTICLE, "minutes": 1e30}, "minutes", "must be above 0 and at most 44640; it is 1e+30"),
        ("/v1/estimates", {**ARTICLE, "minutes": "NaN"}, "minutes", "must be a number"),
        ("/v1/estimates", {**ARTICLE, "plan": "gold"}, "plan", "unknown plan 'gold'; the plans are"),
        ("/v1/estimates", {**ARTICLE, "usage": {"tea": "1"}}, "usage.tea", "unknown meter 'tea'"),
        ("/v1/cost-model", {"demand": {"users": 1}}, "demand.users", "unknown field"),
        ("/v1/cost-model", {"network": {"egress_usd_per_gb": "-1"}}, "network.egress_usd_per_gb", "it is '-1'"),
    ]
    for path, body, field, why in cases:
        response = await client.post(path, json=body)
        assert response.status_code == 422, response.text
        [error] = response.json()["errors"]
        assert error["field"] == field
        assert why in error["detail"]
    nan = await client.post("/v1/estimates", content=b'{"meetings": NaN}', headers={"content-type": "application/json"})
    assert nan.status_code == 400
    assert "NaN is not a JSON value" in nan.json()["detail"]
