"""The two families of failure in a handler, and the problem document (RFC 9457) shown to callers."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict


class Retryable(Exception):
    """The message may succeed later: redeliver it after `delay_s` seconds."""

    def __init__(self, reason: str, delay_s: float = 1.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.delay_s = delay_s


class Permanent(Exception):
    """The message can never succeed: dead-letter it with `reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FieldError(BaseModel):
    """One refused field: where it stands in the request, and why it was refused."""

    model_config = ConfigDict(extra="forbid")

    field: str
    detail: str


def field_name(place: Sequence[int | str]) -> str:
    """Where pydantic says the error is, with dots between; a bad key of a mapping is named as if it were a field."""
    return ".".join(str(part) for part in place if part != "[key]")


class Problem(BaseModel):
    """A problem document, RFC 9457. `type` is a stable short name below `urn:roomscribe:problem:`."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []
    retry_after_s: int | None = None
    """When to try again."""
    scope: str | None = None
    """What the limit below is of."""
    limit: int | None = None
    """The limit that was reached."""
    used: int | None = None
    """How much of it is in use."""


class ProblemError(Exception):
    """Raised where a caller must be told what is wrong; carries the document that tells it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.title}: {problem.detail}")
        self.problem = problem

    @classmethod
    def of(
        cls, name: str, status: int, title: str, detail: str, errors: list[FieldError] | None = None
    ) -> "ProblemError":
        """The error for the problem `urn:roomscribe:problem:<name>` with the HTTP `status`."""
        return cls(
            Problem(
                type=f"urn:roomscribe:problem:{name}", title=title, status=status, detail=detail, errors=errors or []
            )
        )
