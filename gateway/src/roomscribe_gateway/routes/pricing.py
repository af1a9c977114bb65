"""What would it cost. Usage-metering's engine answers; it also writes the bills."""

from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import BaseModel, RootModel
from roomscribe_common.contracts.pricing.cost_model import CostModel, CostModelRequest
from roomscribe_common.contracts.pricing.estimate import Estimate
from roomscribe_common.contracts.pricing.request import EstimateRequest
from roomscribe_common.subjects import COST_MODEL, ESTIMATE

from roomscribe_gateway.edge import GivenEdge, Tenant
from roomscribe_gateway.problems import documented
from roomscribe_gateway.strict import StrictRoute

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["pricing"])

_WORKED_EXAMPLE = {
    "meetings": 2000,
    "minutes": 45,
    "humans": 5,
    "agents": 1,
    "plan": "livekit-cloud-scale",
    "mode": "listen",
    "stt": {"basis": "mixed", "usd_per_minute": "0.006"},
}
_SHARED = {"cloud": "aws", "clusters": "shared"}


@router.post("/estimates", responses=documented(400, 413, 415))
async def estimate(
    body: Annotated[EstimateRequest, Body(examples=[_WORKED_EXAMPLE])], edge: GivenEdge, _: Tenant
) -> Estimate:
    """What meetings would cost, line by line, on this plan and on every other, and what the total depends on."""
    return await edge.ask(ESTIMATE, _as_given(body), Estimate)


@router.post("/cost-model", responses=documented(400, 413, 415))
async def cost_model(
    body: Annotated[CostModelRequest, Body(examples=[{}, _SHARED])], edge: GivenEdge, _: Tenant
) -> CostModel:
    """A cluster of one's own for each customer, and the fleet of them; `{}` gives the defaults."""
    return await edge.ask(COST_MODEL, _as_given(body), CostModel)


def _as_given(body: BaseModel) -> RootModel[dict[str, Any]]:
    """What the caller said and no more: the answer tells it from defaults."""
    return RootModel[dict[str, Any]](body.model_dump(mode="json", exclude_unset=True, exclude_none=True))
