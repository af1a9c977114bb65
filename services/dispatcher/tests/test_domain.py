"""The dispatcher's rules, without Redis, bus or clock."""

from datetime import UTC, datetime, timedelta

import pytest
from roomscribe_common.contracts.agent import AgentRef
from roomscribe_common.contracts.commands import StartMeeting
from roomscribe_common.contracts.meeting import MeetingSpec
from roomscribe_dispatcher import domain, events
from roomscribe_dispatcher.domain import Meeting, Policy, next_step

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
POLICY = Policy(placement_s=15, max_attempts=5, lasting_s=20, flush_s=20)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def asked(join_at: datetime | None = None, empty_room_timeout_s: float | None = None) -> Meeting:
    spec = MeetingSpec(meeting_id="mtg_1", room="planning", join_at=join_at)
    command = StartMeeting(tenant="acme", spec=spec, empty_room_timeout_s=empty_room_timeout_s)
    return domain.requested(command, NOW, 60, POLICY.join_early_s)


def agent(epoch: int = 1, joined_at: datetime = NOW) -> AgentRef:
    return AgentRef(
        meeting_id="mtg_1",
        room="planning",
        job_id="job_1",
        epoch=epoch,
        room_sid="RM_1",
        participant_sid="PA_1",
        identity="roomscribe-mtg_1",
        node="node-1",
        joined_at=joined_at,
    )


def issued(epoch: int = 1, attempts: int = 1) -> Meeting:
    return asked().model_copy(update={"epoch": epoch, "attempts": attempts})


def live(epoch: int = 1, attempts: int = 1, joined_at: datetime = NOW) -> Meeting:
    return domain.joined(issued(epoch, attempts), agent(epoch, joined_at))


def test_a_meeting_begins_when_it_is_asked_for() -> None:
    meeting = asked()
    assert (meeting.state, meeting.started_at, meeting.attempts) == ("dispatching", NOW, 1)
    assert meeting.empty_room_timeout_s == 60
    assert asked(empty_room_timeout_s=5).empty_room_timeout_s == 5


def test_a_meeting_whose_time_has_passed_begins_now() -> None:
    meeting = asked(join_at=after(-5))
    assert (meeting.state, meeting.started_at) == ("dispatching", NOW)


def test_a_scheduled_meeting_waits_and_begins_at_the_time_it_was_scheduled_for() -> None:
    meeting = asked(join_at=after(60))
    assert (meeting.state, meeting.started_at) == ("scheduled", None)
    assert next_step(meeting, False, after(56.9), POLICY) == "nothing"
    assert next_step(meeting, False, after(57), POLICY) == "issue"
    assert next_step(meeting, False, after(60 + 3599), POLICY) == "issue"
    assert next_step(meeting, False, after(60 + 3600), POLICY) == "give_up"
    late = domain.attempt(meeting, after(300), POLICY)
    assert (late.state, late.started_at, late.attempts) == ("dispatching", after(60), 1)


def test_a_meeting_whose_time_is_almost_there_begins_at_that_time_with_its_agent_sent_now() -> None:
    meeting = asked(join_at=after(2))
    assert (meeting.state, meeting.started_at, meeting.issued_at) == ("dispatching", after(2), NOW)
    assert events.requested(meeting).data.started_at is None


@pytest.mark.parametrize(
    ("changes", "joined_s", "reason"),
    [
        ({}, 60.9, None),
        ({}, 58, None),
        ({"issued_at": after(57)}, 62.5, "agent_slow"),
        ({"issued_at": after(57), "attempts": 2}, 75, "no_agent"),
        ({"issued_at": after(300)}, 301, "dispatcher_away"),
        ({"issued_at": after(300), "late_reason": "room_taken"}, 301, "room_taken"),
        ({"issued_at": after(300), "late_reason": "concurrency_limit"}, 301, "concurrency_limit"),
    ],
)
def test_a_meeting_says_how_late_it_began_and_why(
    changes: dict[str, object], joined_s: float, reason: str | None
) -> None:
    meeting = asked(join_at=after(60)).model_copy(update={"attempts": 1} | changes)
    told = events.started(meeting, agent(joined_at=after(joined_s))).data
    assert told.late_reason == reason
    assert told.late_ms == (None if reason is None else (joined_s - 60) * 1000)


def test_a_meeting_asked_for_after_its_time_says_so() -> None:
    told = events.started(asked(join_at=after(-5)), agent(joined_at=after(0.5))).data
    assert (told.late_ms, told.late_reason) == (5500, "requested_late")
    assert events.started(asked(), agent(joined_at=after(0.5))).data.late_ms is None


def test_only_what_no_agent_was_sent_to_is_cancelled() -> None:
    meeting = asked(join_at=after(60))
    assert domain.ending(meeting, "requested", NOW, POLICY).ending == "cancelled"
    sent = domain.attempt(meeting, after(57), POLICY)
    assert domain.ending(sent, "requested", NOW, POLICY).ending == "requested"
    assert domain.ending(live(), "requested", NOW, POLICY).ending == "requested"


def test_a_request_says_the_same_whenever_it_is_told() -> None:
    scheduled = asked(join_at=after(60))
    begun = domain.attempt(scheduled, after(60), POLICY)
    assert events.requested(scheduled) == events.requested(begun)
    assert events.requested(begun).data.started_at is None
    assert events.requested(asked()).data.started_at == NOW


def test_a_job_gets_its_time_before_the_next_is_issued() -> None:
    assert next_step(issued(), False, after(14), POLICY) == "nothing"
    assert next_step(issued(), True, after(100), POLICY) == "nothing"
    assert next_step(issued(), False, after(15), POLICY) == "issue"


def test_a_job_that_was_claimed_and_never_issued_is_issued_at_once() -> None:
    assert next_step(asked(), False, NOW, POLICY) == "issue"


def test_a_lost_agent_is_replaced_at_once_and_ever_more_slowly_if_that_does_not_help() -> None:
    assert next_step(live(), True, after(1000), POLICY) == "nothing"
    assert next_step(live(), False, after(1), POLICY) == "issue"
    third = live(epoch=3, attempts=3)
    assert next_step(third, False, after(3), POLICY) == "nothing"
    assert next_step(third, False, after(4), POLICY) == "issue"


def test_attempts_end() -> None:
    meeting = asked()
    issues = 0
    for _ in range(20):
        meeting = meeting.model_copy(update={"epoch": meeting.epoch + 1})
        now = (meeting.issued_at or NOW) + timedelta(seconds=60)
        if next_step(meeting, False, now, POLICY) == "give_up":
            break
        issues += 1
        meeting = domain.attempt(meeting, now, POLICY)
    assert issues == POLICY.max_attempts - 1


def test_an_agent_that_lasted_makes_attempts_count_anew() -> None:
    last = live(epoch=9, attempts=5)
    assert next_step(last, False, after(19), POLICY) == "give_up"
    assert next_step(last, False, after(21), POLICY) == "issue"
    assert domain.attempt(last, after(21), POLICY).attempts == 1


def test_an_ending_meeting_ends_when_its_agent_is_gone_or_its_time_is_up() -> None:
    meeting = domain.ending(live(), "requested", NOW, POLICY)
    assert next_step(meeting, True, after(19), POLICY) == "nothing"
    assert next_step(meeting, False, after(1), POLICY) == "conclude"
    assert next_step(meeting, True, after(20), POLICY) == "conclude"


def test_the_first_reason_to_end_stands() -> None:
    meeting = domain.ending(live(), "requested", NOW, POLICY)
    assert domain.ending(meeting, "room_closed", after(1), POLICY) == meeting


def test_a_scheduled_meeting_whose_room_closed_before_anybody_came_waits_until_well_after_its_time() -> None:
    sent = domain.attempt(asked(join_at=after(60)), after(57), POLICY)
    early = domain.joined(sent, agent(joined_at=after(58)))
    closed = domain.vacated(early, after(58.1))
    assert next_step(closed, False, after(60 + 299), POLICY) == "nothing"
    assert next_step(closed, False, after(60 + 300), POLICY) == "close_empty"
    left = domain.vacated(early, after(150))
    assert next_step(left, False, after(209), POLICY) == "nothing"
    assert next_step(left, False, after(210), POLICY) == "close_empty"
    assert next_step(domain.vacated(live(), after(1)), False, after(61), POLICY) == "close_empty"


def test_a_scheduled_meeting_whose_job_was_forgotten_begins_at_its_time() -> None:
    forgotten, first = asked(join_at=after(60)), agent(joined_at=after(58))
    found = domain.joined(forgotten, first)
    assert (found.state, found.started_at) == ("live", after(60))
    assert events.started(forgotten, first).data.started_at == after(60)


@pytest.mark.parametrize("state", ["ended", "failed"])
def test_what_is_over_stays_over(state: str) -> None:
    meeting = live().model_copy(update={"state": state})
    assert next_step(meeting, False, after(1000), POLICY) == "nothing"
    assert domain.ending(meeting, "requested", NOW, POLICY) == meeting
    assert domain.joined(meeting, agent(epoch=7)) == meeting


def test_a_higher_epoch_is_believed_and_a_lower_one_is_not() -> None:
    meeting = live(epoch=3)
    assert domain.joined(meeting, agent(epoch=2, joined_at=after(5))) == meeting
    assert domain.joined(meeting, agent(epoch=4)).epoch == 4


def test_a_job_without_an_epoch_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="no epoch"):
        events.job(asked(), "ws://livekit", "token", NOW)
