"""The service tells others: from a meeting on the bus to an export, a signed webhook, a forecast and a comparison."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from roomscribe_common.contracts.billing import BudgetReached
from roomscribe_common.contracts.invoices import CompareForecast, Comparison, Forecast, GetForecast
from roomscribe_common.contracts.pricing.request import EstimateRequest
from roomscribe_common.service import StartFailed
from roomscribe_common.stored import stored
from roomscribe_common.subjects import COMPARE, FORECAST, wildcard

from .conftest import Bench, Start, until
from .events import Meeting
from .exports import strict
from .exports.serving import Served, served

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
async def openmeter() -> AsyncIterator[Served]:
    async with served(strict.OpenMeter("om")) as server:
        server.troubles = ["cut"]
        yield server


@pytest.fixture
async def hook() -> AsyncIterator[Served]:
    async with served(strict.Webhooks(SECRET)) as server:
        yield server


@pytest.fixture
def files(tmp_path: Path, openmeter: Served, hook: Served, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An account with a budget that anything reaches and an address to be told at, and an export to OpenMeter."""
    monkeypatch.setenv("OPENMETER_KEY", "om")
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    account = {
        "budgets": [{"name": "cloud", "amount": "50", "percents": [100]}],
        "webhooks": [{"url": f"{hook.url}/hook", "secret_env": "HOOK_SECRET"}],
    }
    sink = {"kind": "openmeter", "name": "meters", "url": openmeter.url, "secret_env": "OPENMETER_KEY"}
    (tmp_path / "accounts.json").write_text(json.dumps({"tenants": {"acme": account}}))
    (tmp_path / "exports.json").write_text(json.dumps({"sinks": [sink]}))
    return {"usage_accounts": f"{tmp_path}/accounts.json", "usage_exports": f"{tmp_path}/exports.json"}


async def test_a_meeting_is_exported_and_its_budget_told_over_restarts_and_cut_connections(
    metering: Start, bench: Bench, files: dict[str, str], openmeter: Served, hook: Served
) -> None:
    meeting = Meeting(start=datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5))
    for _ in range(2):
        async with metering(usage_watch_every_s=0.2, **files):
            await bench.say(*meeting.life())
            await bench.until_told()
            await until(lambda: _asked(openmeter, 2))
            await until(lambda: _arrived(hook, 2))
    assert openmeter.receiver.sums()["acme", "webrtc_participant_minutes"] == 5
    assert openmeter.receiver.again >= 1
    events = [m async for m in stored(bench.nc, "BILLING", wildcard(BudgetReached))]
    ids = [BudgetReached.model_validate_json(one.data).id.split(":", 3)[3] for one in events]
    assert ids == ["cloud:actual:100", "cloud:forecast:100"]
    assert hook.receiver.sums() == {("billing.v1.budget_reached", ""): 2}


async def test_forecasts_and_comparisons_are_answered_over_the_bus(
    metering: Start, bench: Bench, files: dict[str, str]
) -> None:
    meeting = Meeting(start=datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5))
    async with metering(**files):
        await bench.say(*meeting.life())
        await bench.until_told()
        forecast = await bench.bus.request(FORECAST, GetForecast(tenant="acme"), Forecast)
        command = CompareForecast(tenant="acme", estimate=ESTIMATE, meeting_id="mtg_1")
        compared = await bench.bus.request(COMPARE, command, Comparison)
    assert forecast.actual["webrtc_participant_minutes"] == "5"
    assert compared.final


ESTIMATE = EstimateRequest.model_validate({"meetings": 1, "minutes": 2, "humans": 1})


async def _asked(server: Served, times: int) -> bool:
    return server.asked >= times


async def _arrived(server: Served, count: int) -> bool:
    return sum(server.receiver.sums().values()) >= count


async def test_a_file_or_secret_that_cannot_be_used_stops_the_start_and_is_named(
    metering: Start, files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StartFailed, match="ROOMSCRIBE_USAGE_EXPORTS"):
        async with metering(**{**files, "usage_exports": "/nowhere.json"}):
            pass
    monkeypatch.setenv("HOOK_SECRET", "whsec_short")
    with pytest.raises(StartFailed, match="HOOK_SECRET of a webhook must be whsec_"):
        async with metering(**files):
            pass
