"""Every refusal as a problem document (RFC 9457), and how the API's description shows them."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from roomscribe_common.errors import FieldError, Problem, ProblemError, Retryable, field_name
from roomscribe_common.ids import TOKEN_PATTERN
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
_BEARER = 'Bearer realm="roomscribe"'
_NEED_RETRY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_TOKEN_LIMIT = "1 to 64 letters, digits, '_' or '-'"


class ProblemResponse(JSONResponse):
    """A problem document as it goes out."""

    media_type = MEDIA_TYPE


def respond(problem: Problem, headers: Mapping[str, str] | None = None) -> ProblemResponse:
    """The response; says how to authenticate on 401, and when to try again on 429 and 503."""
    sent = dict(headers or {})
    if problem.status == HTTPStatus.UNAUTHORIZED:
        sent.setdefault("WWW-Authenticate", _BEARER)
    if problem.status in _NEED_RETRY or problem.retry_after_s is not None:
        sent.setdefault("Retry-After", str(problem.retry_after_s or RETRY_AFTER_S))
    return ProblemResponse(problem.model_dump(exclude_none=True), problem.status, sent)


def not_found(meeting_id: str) -> ProblemError:
    """Unknown, or another tenant's: the same answer, so that nobody learns which."""
    return ProblemError.of("meeting-not-found", 404, "No such meeting", f"There is no meeting {meeting_id}.")


def invalid(field: str, detail: str, status: int = 422) -> ProblemError:
    """One refused field."""
    return ProblemError.of(
        "invalid-request", status, "Invalid request", f"{field}: {detail}", [FieldError(field=field, detail=detail)]
    )


def key_reused(opened: str) -> ProblemError:
    """An Idempotency-Key that came before, with another body; `opened` is the id of what it opened."""
    detail = f"This Idempotency-Key opened {opened} with another body; use a new key."
    return ProblemError.of("idempotency-key-reused", 409, "Idempotency-Key reused", detail)


def install(app: FastAPI) -> None:
    """Makes every error of the application a problem document."""
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(Retryable, _retryable)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _problem(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, ProblemError)
    return respond(error.problem)


async def _retryable(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, Retryable)
    detail = f"{error.reason}; try again"
    return respond(Problem(type="urn:roomscribe:problem:unavailable", title="Unavailable", status=503, detail=detail))


async def _validation(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, RequestValidationError)
    fields = [_field(one) for one in error.errors()]
    detail = "; ".join(f"{field.field}: {field.detail}" for field in fields[:5])
    kind = Problem(type="urn:roomscribe:problem:invalid-request", title="Invalid request", status=422, detail=detail)
    return respond(kind.model_copy(update={"errors": fields[:50]}))


def _field(error: Mapping[str, Any]) -> FieldError:
    name = field_name(error["loc"][1:]) or str(error["loc"][0])
    match error["type"]:
        case "extra_forbidden":
            detail = "unknown field"
        case "string_pattern_mismatch" if error["ctx"]["pattern"] == TOKEN_PATTERN:
            detail = _TOKEN_LIMIT
        case _:
            detail = str(error["msg"]).removeprefix("Value error, ")
    return FieldError(field=name[:200], detail=detail)


async def _http(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    detail = "There is nothing at this address; see /openapi.json." if error.status_code == 404 else str(error.detail)
    name = title.lower().replace(" ", "-")
    problem = Problem(type=f"urn:roomscribe:problem:{name}", title=title, status=error.status_code, detail=detail)
    return respond(problem, error.headers)


async def _unexpected(_: Request, error: Exception) -> ProblemResponse:
    logging.getLogger(__name__).error("request failed", exc_info=error)
    detail = "The request failed; the gateway's log says more."
    return respond(Problem(type="urn:roomscribe:problem:internal", title="Internal error", status=500, detail=detail))


_EXAMPLES: dict[int, tuple[str, str, str, str]] = {
    400: ("malformed", "Malformed request", "The body is not JSON: Expecting value at character 12.", ""),
    401: ("unauthorized", "API key missing", "Send your API key in the header `Authorization: Bearer <key>`.", ""),
    404: ("meeting-not-found", "No such meeting", "There is no meeting mtg_0190f3c2a7b4.", ""),
    409: ("meeting-over", "The meeting is over", "The meeting mtg_0190f3c2a7b4 is ended: nobody can join it.", ""),
    413: ("too-large", "Body too large", "The body is larger than 262144 bytes.", ""),
    415: ("unsupported-media-type", "Not JSON", "Send the body as `Content-Type: application/json`.", ""),
    422: ("invalid-request", "Invalid request", "room: String should have at least 1 character", "room"),
    429: (
        "concurrency-limit",
        "Too many meetings at once",
        "5 of your 5 concurrent agents are in meetings; end one, or try again in 10 seconds.",
        "",
    ),
    503: ("unavailable", "Unavailable", "the service 'dispatcher' is not running; try again later", ""),
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route: each problem it may answer with, by example. 401, 422 and 503 are in every one."""
    return {status: _documented(status) for status in sorted({401, 422, 503, *statuses})}


def _documented(status: int) -> dict[str, Any]:
    name, title, detail, field = _EXAMPLES[status]
    example = Problem(type=f"urn:roomscribe:problem:{name}", title=title, status=status, detail=detail)
    if field:
        example.errors.append(FieldError(field=field, detail=detail.removeprefix(f"{field}: ")))
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        example = example.model_copy(update={"scope": "tenant", "limit": 5, "used": 5, "retry_after_s": 10})
    shown = example.model_dump(exclude_none=True)
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": shown}
    return {"description": title, "content": {MEDIA_TYPE: content}}
