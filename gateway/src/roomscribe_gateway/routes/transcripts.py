"""What was said, and what came of it."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from roomscribe_common.contracts.insight import MinutesData
from roomscribe_common.contracts.transcript import TranscriptFinalData, TranscriptGapData
from roomscribe_common.errors import ProblemError

from roomscribe_gateway.adapters.word import to_docx
from roomscribe_gateway.archive.reads import MeetingRecord
from roomscribe_gateway.domain import formats
from roomscribe_gateway.domain.transcript import Transcript
from roomscribe_gateway.edge import GivenEdge, MeetingId, Tenant
from roomscribe_gateway.models import Format, TranscriptDocument
from roomscribe_gateway.problems import documented
from roomscribe_gateway.strict import StrictRoute

router = APIRouter(prefix="/v1/meetings/{meeting_id}", route_class=StrictRoute, tags=["transcripts"])

_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_MEDIA_TYPES: dict[Format, str] = {
    "txt": "text/plain; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "srt": "application/x-subrip; charset=utf-8",
    "csv": "text/csv; charset=utf-8; header=present",
    "docx": _DOCX,
}
_WRITERS: dict[Format, Callable[[Transcript], str | bytes]] = {
    "txt": formats.to_txt,
    "md": formats.to_md,
    "vtt": formats.to_vtt,
    "srt": formats.to_srt,
    "csv": formats.to_csv,
    "docx": to_docx,
}
_FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "model": TranscriptDocument,
        "description": "The transcript in the format that was asked for.",
        "content": {kind.partition(";")[0]: {} for kind in _MEDIA_TYPES.values()},
    }
}
_MINUTES: dict[int | str, dict[str, Any]] = {200: {"model": MinutesData, "description": "The minutes."}}


@router.get("/transcript", responses=_FILES | documented(404), response_model=None)
async def get_transcript(
    meeting_id: MeetingId, edge: GivenEdge, tenant: Tenant, format: Annotated[Format, Query()] = "json"
) -> Response:
    """The current revision of every segment, and the gaps; at any time, `complete` once nothing more will come."""
    record = await edge.meeting(tenant, meeting_id)
    segments = await edge.archive.segments(tenant, meeting_id)
    gaps = await edge.archive.gaps(tenant, meeting_id)
    if format == "json":
        return _json(record, segments, gaps)
    # Parsing and writing a long meeting takes many milliseconds: other calls go on meanwhile.
    content = await asyncio.to_thread(lambda: _WRITERS[format](_transcript(record, segments, gaps)))
    disposition = "attachment" if format in ("docx", "csv") else "inline"
    headers = {"Content-Disposition": f'{disposition}; filename="{meeting_id}.{format}"'}
    return Response(content, media_type=_MEDIA_TYPES[format], headers=headers)


@router.get("/minutes", responses=_MINUTES | documented(404), response_model=None)
async def get_minutes(meeting_id: MeetingId, edge: GivenEdge, tenant: Tenant) -> Response:
    """Summary, decisions, action items; every one cites the segments it rests on."""
    minutes = await edge.archive.minutes(tenant, meeting_id)
    if minutes is None:
        record = await edge.meeting(tenant, meeting_id)
        detail = f"Not yet: the meeting is {record.state}. Minutes are written once it has ended."
        raise ProblemError.of("no-minutes", 404, "No minutes yet", detail)
    return Response(minutes, media_type="application/json")


def _json(record: MeetingRecord, segments: list[str], gaps: list[str]) -> Response:
    # The documents are JSON already: they are joined, not parsed and written again.
    head = TranscriptDocument(**_head(record), segments=[], gaps=[]).model_dump_json(exclude={"segments", "gaps"})
    body = f'{head[:-1]},"segments":[{",".join(segments)}],"gaps":[{",".join(gaps)}]}}'
    return Response(body, media_type="application/json")


def _transcript(record: MeetingRecord, segments: list[str], gaps: list[str]) -> Transcript:
    return Transcript(
        **_head(record),
        segments=[TranscriptFinalData.model_validate_json(one) for one in segments],
        gaps=[TranscriptGapData.model_validate_json(one) for one in gaps],
    )


def _head(record: MeetingRecord) -> dict[str, Any]:
    return {
        "meeting_id": record.spec.meeting_id,
        "room": record.spec.room,
        "title": record.spec.title,
        "started_at": record.started_at,
        "state": record.state,
        "complete": record.complete,
    }
