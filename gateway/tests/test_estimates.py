"""What is asked of the price engine is what the caller said, so that the engine can tell it from its defaults."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.pricing.cost_model import CostModel, CostModelRequest
from roomscribe_common.contracts.pricing.estimate import Estimate
from roomscribe_common.contracts.pricing.request import EstimateRequest
from roomscribe_common.errors import ProblemError
from roomscribe_common.subjects import COST_MODEL, ESTIMATE

from .conftest import Gateway

MEETINGS: dict[str, Any] = {"meetings": 2, "minutes": 45, "humans": 5}
BOOK: dict[str, Any] = {
    "schema": "price-book/1",
    "id": "ours",
    "name": "Ours",
    "kind": "livekit-cloud",
    "currency": "USD",
    "source": {"text": "the contract", "status": "contract"},
    "versions": [{"version": "a"}],
}
_LISTS = (
    "why_not left_out lines alternatives break_evens meter_break_evens sensitivity build_or_buy assumptions notices"
)
_TEXTS = "currency plan plan_name plan_version plan_chosen mode"
_PEAK = {"mean_meetings": "0", "peak_meetings": 0, "agent_sessions": 0, "connections": 0, "basis": ""}
_ANSWER: dict[str, Any] = {
    **{name: [] for name in _LISTS.split()},
    **dict.fromkeys(_TEXTS.split(), "any"),
    "complete": True,
    "serves": True,
    "concurrency": _PEAK,
}


@dataclass
class FakeEngine:
    """Keeps what it is asked."""

    bus: Bus
    asked: list[EstimateRequest | CostModelRequest] = field(default_factory=list[EstimateRequest | CostModelRequest])

    async def listen(self) -> None:
        await self.bus.reply(ESTIMATE, self.estimate, EstimateRequest)
        await self.bus.reply(COST_MODEL, self.cost_model, CostModelRequest)
        await self.bus.nc.flush()

    async def estimate(self, request: EstimateRequest) -> Estimate:
        self.asked.append(request)
        return Estimate.model_validate(_ANSWER)

    async def cost_model(self, request: CostModelRequest) -> CostModel:
        self.asked.append(request)
        raise ProblemError.of("invalid-request", 422, "Invalid request", "asked")


@pytest.fixture
async def engine(bus: Bus) -> FakeEngine:
    found = FakeEngine(bus)
    await found.listen()
    return found


async def test_a_default_does_not_arrive_as_if_the_caller_had_said_it(gateway: Gateway, engine: FakeEngine) -> None:
    given = {**MEETINGS, "stt": {"basis": "mixed"}, "bandwidth": {}, "book": BOOK, "plan": None}
    for body in (MEETINGS, given):
        response = await gateway.client.post("/v1/estimates", json=body)
        assert response.status_code == 200, response.text
    bare, full = engine.asked
    assert bare == EstimateRequest.model_validate(MEETINGS)
    assert bare.model_fields_set == {*MEETINGS}
    assert full.model_fields_set == {*given} - {"plan"}
    assert isinstance(full, EstimateRequest)
    assert full.stt.model_fields_set == {"basis"}
    assert full == EstimateRequest.model_validate(given)


async def test_nor_does_a_default_of_the_cost_model(gateway: Gateway, engine: FakeEngine) -> None:
    await gateway.client.post("/v1/cost-model", json={"demand": {"total_users": 7}})
    assert [one.model_dump(exclude_unset=True) for one in engine.asked] == [{"demand": {"total_users": 7}}]
