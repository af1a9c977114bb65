"""Requests as JSON, priced on a fixed day."""

import os
from datetime import date
from typing import Any

from hypothesis import settings
from roomscribe_common.contracts.pricing.cost_model import CostModel, CostModelRequest
from roomscribe_common.contracts.pricing.estimate import Alternative, Estimate, EstimateLine, Notice
from roomscribe_common.contracts.pricing.request import EstimateRequest
from roomscribe_usage_metering.pricing.books import Plan, built_in
from roomscribe_usage_metering.pricing.cost_model_answer import cost_model
from roomscribe_usage_metering.pricing.estimating import estimate

scenarios = settings(max_examples=int(os.environ.get("ROOMSCRIBE_TEST_SCENARIOS", "50")), deadline=None)
"""How many random cases an invariant is tried with, without a clock: the machine may be slow."""
DAY = date(2026, 6, 2)
SHIP, SCALE, BUILD = "livekit-cloud-ship", "livekit-cloud-scale", "livekit-cloud-build"
ARTICLE: dict[str, Any] = {
    "meetings": 2000,
    "minutes": 45,
    "humans": 5,
    "agents": 1,
    "plan": SCALE,
    "mode": "listen",
    "stt": {"basis": "mixed", "usd_per_minute": "0.006"},
    "tts": {"usd_per_minute": "0.03", "talk_share": "1"},
}
"""The worked example of LiveKit's article, as a request."""


def asked(**changes: Any) -> Estimate:
    """The article's meetings with something changed."""
    return estimate(EstimateRequest.model_validate({**ARTICLE, **changes}), built_in(), DAY)


def modelled(**given: Any) -> CostModel:
    return cost_model(CostModelRequest.model_validate(given))


def plan(name: str) -> Plan:
    return built_in().plan(name, DAY)


def line(answer: Estimate, meter: str) -> EstimateLine:
    return next(one for one in answer.lines if one.meter == meter)


def other(answer: Estimate, name: str) -> Alternative:
    return next(one for one in answer.alternatives if one.id == name)


def notice(answer: Estimate | CostModel, about: str) -> Notice:
    return next(one for one in answer.notices if one.about == about)
