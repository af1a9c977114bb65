"""What is promised about the whole edge: its description, its page, its log and its metrics."""

import json
import logging
import re
from typing import Any

import pytest
from roomscribe_common.connection import Unreachable
from roomscribe_common.service import StartFailed
from roomscribe_common.settings import BadSettings, load
from roomscribe_gateway.settings import GatewaySettings

from .conftest import Gateway, MakeSettings, Serve
from .meetings import FakeDispatcher, Publisher, requested

ROUTES = {
    "post /v1/meetings",
    "get /v1/meetings",
    "get /v1/meetings/{meeting_id}",
    "post /v1/meetings/{meeting_id}/end",
    "post /v1/meetings/{meeting_id}/tokens",
    "get /v1/meetings/{meeting_id}/transcript",
    "get /v1/meetings/{meeting_id}/events",
    "get /v1/meetings/{meeting_id}/minutes",
    "get /v1/meetings/{meeting_id}/usage",
    "post /v1/series",
    "get /v1/series",
    "get /v1/series/{series_id}",
    "post /v1/series/{series_id}/end",
    "get /v1/usage",
    "get /v1/meetings/{meeting_id}/usage/lines/{line_id}",
    "post /v1/meetings/{meeting_id}/usage/compare",
    "get /v1/usage/forecast",
    "get /v1/invoices/{period}",
    "get /v1/invoices/{period}/lines/{line_id}",
    "post /v1/invoices/{period}/compare",
    "post /v1/estimates",
    "post /v1/cost-model",
    "post /livekit/webhook",
}


async def test_the_description_has_every_route_with_its_problems_by_example(gateway: Gateway) -> None:
    document: dict[str, Any] = (await gateway.anonymous.get("/openapi.json")).json()
    calls = {f"{verb} {path}": call for path, verbs in document["paths"].items() for verb, call in verbs.items()}
    assert set(calls) == ROUTES
    for name, call in calls.items():
        assert call["description"], name
        assert {"401", "422", "503"} <= set(call["responses"]), name
        assert "{meeting_id}" not in name or "404" in call["responses"], name
        assert name.endswith("webhook") or call["security"] == [{"HTTPBearer": []}], name
        for status, response in call["responses"].items():
            if int(status) >= 400:
                example = response["content"]["application/problem+json"]["example"]
                assert example["status"] == int(status)
    text = json.dumps(document)
    for reference in set(re.findall(r'"#/components/schemas/([^"]+)"', text)):
        assert reference in document["components"]["schemas"], reference
    assert "HTTPValidationError" not in text


async def test_the_page_needs_no_key_and_allows_nothing_from_elsewhere(gateway: Gateway) -> None:
    for path in ("/", "/meetings/mtg_1"):
        response = await gateway.anonymous.get(path)
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        policy = response.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert not re.search(r"https?://|<style|\son\w+=|\sstyle=", response.text)
        for asset in re.findall(r'(?:src|href)="(/page/[^"]+)"', response.text):
            assert (await gateway.anonymous.get(asset)).status_code == 200
    assert (await gateway.anonymous.get("/favicon.ico")).status_code == 200
    assert (await gateway.anonymous.get("/page/settings.py")).status_code == 422
    assert (await gateway.anonymous.get("/page/..%2fsettings.py")).status_code == 404


async def test_the_log_has_ids_and_no_names_queries_or_keys(
    gateway: Gateway, publisher: Publisher, dispatcher: FakeDispatcher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for noisy in ("httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    await publisher(requested("m1", room="secret-room"))
    await gateway.client.post("/v1/meetings", json={"room": "secret-room", "title": "secret-title"})
    await gateway.client.post("/v1/meetings/m1/tokens", json={"identity": "secret-bob", "name": "Secret Bob"})
    await gateway.client.get("/v1/meetings?room=secret-room")
    await gateway.client.get("/secret-path/secret")
    text = "\n".join(str(vars(record)) for record in caplog.records)
    assert "secret" not in text.lower()
    assert "key-of-acme" not in text
    routes = {
        (record.__dict__["route"], record.__dict__["status"]) for record in caplog.records if record.msg == "request"
    }
    assert ("/v1/meetings/{meeting_id}/tokens", 201) in routes
    assert ("unknown", 404) in routes


async def test_metrics_are_by_route_template(gateway: Gateway) -> None:
    for number in range(3):
        await gateway.client.get(f"/v1/meetings/unknown-{number}")
        await gateway.anonymous.request("BREW", f"/coffee/{number}")
    exposition = gateway.service.telemetry.exposition().decode()
    assert 'http_route="/v1/meetings/{meeting_id}"' in exposition
    assert "unknown-" not in exposition
    assert "coffee" not in exposition
    assert "BREW" not in exposition


async def test_readiness_follows_the_database_and_the_consumers(gateway: Gateway) -> None:
    ready, checks = await gateway.service.health.ready()
    assert ready, checks
    assert {"database", "gateway-meetings", "gateway-transcripts", "gateway-insights", "gateway-usage"} <= set(checks)


async def test_a_port_in_use_is_named_with_its_setting(
    gateway: Gateway, serve: Serve, make_settings: MakeSettings
) -> None:
    port = int(gateway.url.rsplit(":", 1)[1])
    with pytest.raises(StartFailed, match=rf"127\.0\.0\.1:{port} \(from ROOMSCRIBE_GATEWAY_HOST"):
        async with serve(make_settings(gateway_port=port)):
            pass


async def test_a_database_that_cannot_be_reached_is_named_with_its_setting(
    serve: Serve, make_settings: MakeSettings
) -> None:
    url = "postgresql+asyncpg://user:hidden@127.0.0.1:9/x"
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9.*ROOMSCRIBE_DATABASE_URL") as error:
        async with serve(make_settings(database_url=url, start_timeout_s=1)):
            pass
    assert "hidden" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("ROOMSCRIBE_GATEWAY_API_KEYS", "{}", "ROOMSCRIBE_GATEWAY_API_KEYS: must be a JSON object"),
        ("ROOMSCRIBE_GATEWAY_API_KEYS", "not json", "ROOMSCRIBE_GATEWAY_API_KEYS: is not valid JSON"),
        ("ROOMSCRIBE_GATEWAY_API_KEYS", '{"long-enough": "a.b"}', "ROOMSCRIBE_GATEWAY_API_KEYS: tenant of key 1"),
        ("ROOMSCRIBE_GATEWAY_API_KEYS", '{"short": "acme"}', "ROOMSCRIBE_GATEWAY_API_KEYS: key 1"),
        ("ROOMSCRIBE_GATEWAY_PORT", "99999", "ROOMSCRIBE_GATEWAY_PORT"),
        ("ROOMSCRIBE_LIVEKIT_URL", "http://x", "ROOMSCRIBE_LIVEKIT_URL"),
        ("ROOMSCRIBE_LIVEKIT_URL", "ws://x", "ROOMSCRIBE_LIVEKIT_API_KEY"),
    ],
)
def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, why: str) -> None:
    monkeypatch.setenv("ROOMSCRIBE_DATABASE_URL", "sqlite+aiosqlite:///x.db")
    monkeypatch.setenv("ROOMSCRIBE_GATEWAY_API_KEYS", '{"key-of-acme": "acme"}')
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings) as error:
        load(GatewaySettings)
    assert why in str(error.value)
    assert "long-enough" not in str(error.value)
