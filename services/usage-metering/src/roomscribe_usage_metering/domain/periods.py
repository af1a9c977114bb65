"""Calendar months in UTC, and the sums over them."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from roomscribe_common.errors import FieldError, ProblemError

from roomscribe_usage_metering.domain.lines import epoch_ms

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")

PAGE = 100
"""Meetings of a month in one answer: a room's name may have kilobytes as JSON, and one message holds a megabyte."""


def month_ms(period: str) -> tuple[int, int]:
    """`2026-11` as its half-open range of epoch milliseconds. Raises `ProblemError` for anything else."""
    found = _MONTH.fullmatch(period)
    if found is None or not 1970 <= int(found[1]) <= 9998:
        detail = f"period {period[:40]!r} is not a calendar month such as 2026-11"
        raise ProblemError.of("bad-period", 422, "Bad period", detail, [FieldError(field="period", detail=detail)])
    year, month = int(found[1]), int(found[2])
    after = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return epoch_ms(datetime(year, month, 1, tzinfo=UTC)), epoch_ms(after)


def first_after(cursor: str | None, meetings: Sequence[str]) -> int:
    """Where the page behind that meeting begins. Raises `ProblemError` if the month has no such meeting."""
    if cursor is None:
        return 0
    if cursor not in meetings:
        detail = f"no meeting {cursor} began in that month"
        raise ProblemError.of("bad-cursor", 422, "Bad cursor", detail, [FieldError(field="cursor", detail=detail)])
    return meetings.index(cursor) + 1
