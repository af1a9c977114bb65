"""Recurring meetings: open, list, look at and end series. Their meetings are under `/v1/meetings`."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from roomscribe_common.contracts.commands import Done, EndSeries, Occurrence, SeriesView, StartSeries
from roomscribe_common.errors import ProblemError
from roomscribe_common.ids import TOKEN_PATTERN, new_id
from roomscribe_common.subjects import END_SERIES, START_SERIES

from roomscribe_gateway.edge import Edge, GivenEdge, Tenant
from roomscribe_gateway.problems import documented, key_reused
from roomscribe_gateway.recent import series_of
from roomscribe_gateway.routes.meetings import IdempotencyKey
from roomscribe_gateway.series_models import (
    NewSeries,
    Series,
    SeriesDetail,
    SeriesEnding,
    SeriesLinks,
    SeriesList,
)
from roomscribe_gateway.strict import StrictRoute

router = APIRouter(prefix="/v1/series", route_class=StrictRoute, tags=["series"])

_NEXT = 10
SeriesId = Annotated[
    str, Path(pattern=TOKEN_PATTERN, description="The `id` a series was given.", examples=["ser_0190f3c2a7b4e1d2"])
]


@router.post("", status_code=201, responses=documented(400, 409, 413, 415))
async def open_series(
    body: NewSeries, edge: GivenEdge, tenant: Tenant, response: Response, idempotency_key: IdempotencyKey = None
) -> SeriesDetail:
    """Sends the agent into a room again and again, by a rule. Its next meetings exist as scheduled meetings."""
    edge.livekit_or_refuse()
    spec = body.spec(new_id("ser"))
    command = StartSeries(tenant=tenant, spec=spec, idempotency_key=idempotency_key)
    view = await edge.ask(START_SERIES, command, SeriesView)
    if view.spec.model_dump(exclude={"series_id"}) != spec.model_dump(exclude={"series_id"}):
        raise key_reused(view.spec.series_id)
    response.headers["Location"] = SeriesLinks.of(view.spec.series_id).self
    return SeriesDetail.of_view(view)


@router.get("", responses=documented())
async def list_series(
    edge: GivenEdge,
    tenant: Tenant,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(pattern=TOKEN_PATTERN, description="`next_cursor` of the page before.")] = None,
) -> SeriesList:
    """The tenant's series, newest first."""
    found = await edge.archive.all_series(tenant, limit=limit + 1, before=cursor)
    page = found[:limit]
    return SeriesList(
        series=[Series.of(record) for record in page],
        next_cursor=page[-1].spec.series_id if len(found) > limit else None,
    )


@router.get("/{series_id}", responses=documented(404))
async def get_series(series_id: SeriesId, edge: GivenEdge, tenant: Tenant) -> SeriesDetail:
    """One series, and its next meetings that are not cancelled."""
    series = await _known(edge, tenant, series_id)
    coming = await edge.archive.scheduled(tenant, series_id, limit=_NEXT)
    meetings = [
        Occurrence(meeting_id=record.spec.meeting_id, join_at=record.spec.join_at)
        for record in coming
        if record.spec.join_at is not None
    ]
    return SeriesDetail(**series.model_dump(), next=meetings)


@router.post("/{series_id}/end", status_code=202, responses=documented(404))
async def end_series(series_id: SeriesId, edge: GivenEdge, tenant: Tenant) -> SeriesEnding:
    """Cancels what is scheduled of it. A meeting that is on goes on. Ending a series that is over is no error."""
    series = await _known(edge, tenant, series_id)
    if series.state == "active":
        await edge.ask(END_SERIES, EndSeries(tenant=tenant, series_id=series_id), Done)
    return SeriesEnding(id=series_id, state="ended", links=SeriesLinks.of(series_id))


async def _known(edge: Edge, tenant: str, series_id: str) -> Series:
    record = await series_of(edge.bus.js, tenant, series_id)
    if record is None:
        detail = f"There is no series {series_id}."
        raise ProblemError.of("series-not-found", 404, "No such series", detail)
    return Series.of(record)
