"""What was used, explained line by line. The ledger is usage-metering's; the gateway only asks."""

from typing import Annotated

from fastapi import APIRouter, Query
from roomscribe_common.contracts.commands import GetMeetingUsage, GetPeriodUsage, PeriodUsage
from roomscribe_common.contracts.invoices import Forecast, GetForecast
from roomscribe_common.contracts.usage import MeetingUsageData
from roomscribe_common.errors import ProblemError
from roomscribe_common.ids import TOKEN_PATTERN
from roomscribe_common.subjects import FORECAST, MEETING_USAGE, PERIOD_USAGE

from roomscribe_gateway.edge import GivenEdge, MeetingId, Tenant
from roomscribe_gateway.problems import documented
from roomscribe_gateway.strict import StrictRoute

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["usage"])

Period = Annotated[
    str,
    Query(
        pattern=r"^20\d\d-(0[1-9]|1[0-2])$",
        description="Named after the month it begins in, in your time zone.",
        examples=["2026-11"],
    ),
]

Cursor = Annotated[str | None, Query(pattern=TOKEN_PATTERN, description="`next_cursor` of the page before.")]


@router.get("/meetings/{meeting_id}/usage", responses=documented(404))
async def get_meeting_usage(meeting_id: MeetingId, edge: GivenEdge, tenant: Tenant) -> MeetingUsageData:
    """The meeting's ledger now; as it was last told while metering does not answer."""
    await edge.meeting(tenant, meeting_id)
    try:
        return await edge.ask(MEETING_USAGE, GetMeetingUsage(tenant=tenant, meeting_id=meeting_id), MeetingUsageData)
    except ProblemError as error:
        told = await edge.archive.usage(tenant, meeting_id) if error.problem.status == 503 else None
        if told is None:
            raise
        return MeetingUsageData.model_validate_json(told)


@router.get("/usage", responses=documented())
async def get_period_usage(period: Period, edge: GivenEdge, tenant: Tenant, cursor: Cursor = None) -> PeriodUsage:
    """The sums of a month, and its meetings in pages; `next_cursor` is null on the last."""
    return await edge.ask(PERIOD_USAGE, GetPeriodUsage(tenant=tenant, period=period, after=cursor), PeriodUsage)


@router.get("/usage/forecast", responses=documented())
async def get_forecast(edge: GivenEdge, tenant: Tenant, period: Period | None = None) -> Forecast:
    """What a running period will have cost, with an 80 % interval; the one that runs now, by default."""
    return await edge.ask(FORECAST, GetForecast(tenant=tenant, period=period), Forecast)
