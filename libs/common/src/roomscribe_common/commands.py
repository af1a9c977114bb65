"""Commands on the wire: a request is JSON, a reply `{"ok": …}` or `{"error": <problem document>}`."""

import json
from typing import TypeVar

import nats.errors
from pydantic import BaseModel, TypeAdapter, ValidationError

from roomscribe_common.errors import FieldError, Problem, ProblemError, field_name

ModelT = TypeVar("ModelT", bound=BaseModel)
_REPLY: TypeAdapter[dict[str, object]] = TypeAdapter(dict[str, object])


def encode(message: BaseModel) -> bytes:
    """The request as it goes over the wire."""
    return message.model_dump_json(exclude_none=True).encode()


def read_request(payload: bytes, request: type[ModelT]) -> ModelT:
    """The request. Raises `ProblemError` (422) naming the refused fields."""
    try:
        return request.model_validate_json(payload)
    except ValidationError as error:
        fields = [
            FieldError(field=field_name(e["loc"]) or "body", detail=e["msg"])
            for e in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        detail = "; ".join(f"{f.field}: {f.detail}" for f in fields[:5])
        raise ProblemError.of("invalid-request", 422, "Invalid request", detail, fields) from error


def accepted(answer: BaseModel) -> bytes:
    """The reply of a command that was done."""
    return json.dumps({"ok": answer.model_dump(mode="json", exclude_none=True)}).encode()


def refused(problem: Problem) -> bytes:
    """The reply of a command that was not."""
    return json.dumps({"error": problem.model_dump(mode="json")}).encode()


def read_answer(subject: str, payload: bytes, response: type[ModelT]) -> ModelT:
    """The answer. Raises `ProblemError`: what the other service said, or 502 if it made no sense."""
    try:
        reply = _REPLY.validate_json(payload)
        if "error" in reply:
            raise ProblemError(Problem.model_validate(reply["error"]))
        return response.model_validate(reply["ok"])
    except (ValidationError, KeyError) as error:
        raise ProblemError.of("bad-answer", 502, "Bad answer", f"{_asked(subject)} gave no valid answer") from error


def no_answer(subject: str, timeout_s: float, error: nats.errors.Error) -> ProblemError:
    """What a caller is told when nobody answers."""
    if isinstance(error, nats.errors.TimeoutError):
        return ProblemError.of(
            "no-answer", 504, "No answer", f"{_asked(subject)} did not answer in {timeout_s:g} seconds; try again"
        )
    return ProblemError.of("unavailable", 503, "Unavailable", f"{_asked(subject)} is not running; try again later")


def internal() -> Problem:
    """What a caller is told when a handler fails in a way nobody thought of; the log has the rest."""
    return Problem(
        type="urn:roomscribe:problem:internal",
        title="Internal error",
        status=500,
        detail="The request failed; see the log",
    )


def try_again(reason: str) -> Problem:
    """What a caller is told when the command may succeed later."""
    return Problem(type="urn:roomscribe:problem:unavailable", title="Unavailable", status=503, detail=reason)


def impossible(reason: str) -> Problem:
    """What a caller is told when the command can never succeed."""
    return Problem(type="urn:roomscribe:problem:refused", title="Refused", status=422, detail=reason)


def too_large(size_bytes: int, limit_bytes: int) -> Problem:
    """What a caller is told when the answer does not fit into one message."""
    detail = f"The answer has {size_bytes} bytes, and one message holds {limit_bytes}; ask for less"
    return Problem(type="urn:roomscribe:problem:answer-too-large", title="Answer too large", status=500, detail=detail)


def _asked(subject: str) -> str:
    return "the service " + repr(subject.split(".")[2]) if subject.count(".") >= 2 else repr(subject)
