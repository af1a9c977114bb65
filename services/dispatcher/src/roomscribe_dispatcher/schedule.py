"""The times a meeting may be asked for, and why its agent came late. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from roomscribe_common.errors import FieldError

from roomscribe_dispatcher.domain import Blocked, Meeting, was_scheduled

LateReason = Blocked | Literal["requested_late", "dispatcher_away", "no_agent", "agent_slow"]
PAST: Final = timedelta(minutes=5)
"""Clocks differ and requests are repeated, so a moment that has just passed means now."""
FUTURE: Final = timedelta(days=366)
LATE: Final = timedelta(seconds=1)
"""Nobody notices less."""
_MISSED: Final[dict[LateReason, str]] = {
    "room_taken": "Another meeting had the room",
    "concurrency_limit": "As many agents as allowed were in other meetings",
    "dispatcher_away": "No dispatcher was there to send an agent",
}


@dataclass(frozen=True, slots=True)
class Late:
    """By how much, and why."""

    ms: int
    reason: LateReason


def wrong_time(join_at: datetime | None, now: datetime) -> FieldError | None:
    """Why no meeting may be asked for at that time; None if it may."""
    if join_at is None or now - PAST <= join_at <= now + FUTURE:
        return None
    limit = "is more than 5 minutes ago" if join_at < now else f"is more than {FUTURE.days} days ahead"
    return FieldError(field="join_at", detail=limit)


def lateness(meeting: Meeting, joined_at: datetime) -> Late | None:
    """How late the meeting's first agent came; None if it came in time, or no time was set."""
    join_at = meeting.spec.join_at
    if join_at is None or joined_at - join_at <= LATE:
        return None
    return Late((joined_at - join_at) // timedelta(milliseconds=1), _reason(meeting, join_at))


def _reason(meeting: Meeting, join_at: datetime) -> LateReason:
    if meeting.late_reason is not None:
        return meeting.late_reason
    if not was_scheduled(meeting):
        return "requested_late"
    if meeting.attempts > 1:
        return "no_agent"
    sent_late = meeting.issued_at is None or meeting.issued_at > join_at
    return "dispatcher_away" if sent_late else "agent_slow"


def missed(meeting: Meeting, max_late_s: float) -> tuple[str, str]:
    """Why a scheduled meeting is given up before any agent was sent: a short stable name, and a sentence."""
    reason: LateReason = meeting.late_reason or "dispatcher_away"
    return reason, f"{_MISSED[reason]} until {max_late_s:g} s after the meeting's time."
