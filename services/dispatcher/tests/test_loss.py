"""Where the hole of a lost agent begins, from what little is left of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from roomscribe_common.contracts.agent import AgentHeartbeat, AgentHeartbeatData, AgentLeft, AgentLeftData, Counters
from roomscribe_common.contracts.commands import StartMeeting
from roomscribe_common.contracts.meeting import MeetingSpec
from roomscribe_common.lease import Heard
from roomscribe_common.subjects import subject_of
from roomscribe_dispatcher import domain
from roomscribe_dispatcher.domain import Meeting
from roomscribe_dispatcher.loss import Loss, Signs, loss

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
NOTHING = Signs(None, None, None, None)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def meeting(**known: Any) -> Meeting:
    asked = domain.requested(StartMeeting(tenant="acme", spec=MeetingSpec(meeting_id="mtg_1", room="r")), NOW, 60)
    return asked.model_copy(update={"state": "live", "epoch": 2, "joined_at": at(1)} | known)


def agent(epoch: int) -> dict[str, Any]:
    return {
        "meeting_id": "mtg_1",
        "room": "r",
        "job_id": "job_1",
        "epoch": epoch,
        "room_sid": "RM_1",
        "participant_sid": "PA_1",
        "identity": "roomscribe-mtg_1",
        "node": "one",
        "joined_at": at(1),
        "uptime_ms": 0,
        "counters": Counters(),
    }


def left(epoch: int = 2, **told: Any) -> AgentLeft:
    data = AgentLeftData.model_validate(agent(epoch) | {"left_at": at(30), "reason": "crashed"} | told)
    return AgentLeft.new(
        id="left", source="test", subject=subject_of(AgentLeft, "acme", "mtg_1"), tenant="acme", data=data
    )


def beat(epoch: int = 2, humans: int = 1) -> AgentHeartbeat:
    data = AgentHeartbeatData.model_validate(agent(epoch) | {"seq": 0, "humans": humans})
    subject = subject_of(AgentHeartbeat, "acme", "mtg_1")
    return AgentHeartbeat.new(id="beat", source="test", subject=subject, tenant="acme", data=data, time=at(16))


def said(until: float, at_s: float, epoch: int = 2) -> Heard:
    return Heard(epoch, at(until), at(at_s))


def test_an_agent_that_never_came_heard_nothing() -> None:
    assert loss(meeting(joined_at=None), Signs(left(), beat(), said(20, 20), at(20))) is None


def test_what_an_agent_itself_says_stands() -> None:
    found = loss(meeting(), Signs(left(heard_until=at(12), empty_since=at(5)), beat(), said(20, 20), at(25)))
    assert found == Loss(at(12), anybody_there=False)


def test_a_crash_that_was_seen_is_the_end_of_hearing() -> None:
    assert loss(meeting(), Signs(left(), None, said(28.9, 29), at(29))) == Loss(at(30), anybody_there=True)


def test_what_the_bus_had_not_taken_is_lost_with_the_agent() -> None:
    assert loss(meeting(), Signs(left(), beat(), said(9, 29), at(9))) == Loss(at(9), anybody_there=True)


def test_an_agent_nobody_saw_die_heard_until_its_last_sign() -> None:
    assert loss(meeting(), Signs(None, beat(), said(20, 20), at(21))) == Loss(at(21), anybody_there=True)
    assert loss(meeting(), Signs(None, beat(humans=0), said(22, 22), at(21))) == Loss(at(22), anybody_there=False)
    assert loss(meeting(), Signs(None, beat(), None, None)) == Loss(at(16), anybody_there=True)
    assert loss(meeting(), NOTHING) == Loss(at(1), anybody_there=True)


def test_signs_of_an_earlier_agent_say_nothing() -> None:
    assert loss(meeting(), Signs(left(1), beat(1, humans=0), said(0, 29, 1), None)) == Loss(at(1), anybody_there=True)


def test_an_agent_that_had_not_told_the_hole_before_it_leaves_it_to_the_next() -> None:
    before = meeting(heard_until=at(-5))
    assert loss(before, Signs(left(), beat(1), said(20, 20), at(20))) is None
    assert loss(before, Signs(left(), beat(2), said(20, 20), at(20))) == Loss(at(30), anybody_there=True)
