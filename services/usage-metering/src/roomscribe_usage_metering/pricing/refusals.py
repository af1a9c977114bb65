"""How the engine says no: the field, its value and its limit."""

from roomscribe_common.errors import FieldError, ProblemError


def refused(field: str, detail: str) -> ProblemError:
    """The error for one field of a request."""
    problem = FieldError(field=field, detail=detail)
    return ProblemError.of("invalid-request", 422, "Invalid request", f"{field}: {detail}", [problem])
