"""A job's way, from the offer to its final status; LiveKit is played, Redis is real."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from livekit.protocol import agent as pb
from livekit.protocol import models
from opentelemetry.metrics import get_meter
from redis.asyncio import Redis
from roomscribe_common.contracts.commands import Done, EndMeeting, MeetingView, StartMeeting
from roomscribe_common.errors import Retryable
from roomscribe_common.testing.until import until
from roomscribe_dispatcher import domain
from roomscribe_dispatcher.adapters import redis as redis_adapter
from roomscribe_dispatcher.domain import Meeting
from roomscribe_dispatcher.worker.jobs import Jobs
from roomscribe_dispatcher.worker.marks import Marks
from roomscribe_dispatcher.worker.placement import Placement
from roomscribe_dispatcher.worker.rooms import Rooms


class Around:
    """What the jobs reach: the dispatcher's meetings, and LiveKit's ear."""

    def __init__(self, redis: Redis) -> None:
        self.meetings: dict[str, Meeting] = {}
        self.said: list[tuple[float, pb.UpdateJobStatus]] = []
        self.rooms = Rooms("ws://127.0.0.1:9", "testkey", "test-secret-of-at-least-32-characters")
        placement = Placement(self.start, Marks(redis))
        meter = get_meter("test")
        self.jobs = Jobs(placement, self.rooms, self.end, self.find, lambda id: f"agent-{id}", "acme", meter)

    async def start(self, command: StartMeeting) -> MeetingView:
        meeting = domain.requested(command, datetime.now(UTC), 60)
        self.meetings[meeting.id] = meeting
        return meeting.view(created=True)

    async def end(self, command: EndMeeting) -> Done:
        return Done()

    async def find(self, tenant: str, meeting_id: str) -> Meeting | None:
        return self.meetings.get(meeting_id)

    async def send(self, message: pb.WorkerMessage) -> None:
        self.said.append((time.monotonic(), message.update_job))

    def statuses(self) -> list[str]:
        return [pb.JobStatus.Name(update.status) for _, update in self.said]

    async def until_said(self, count: int) -> None:
        async def said() -> bool:
            return len(self.said) >= count

        await until(said)


@pytest.fixture
async def around(redis_url: str) -> AsyncIterator[Around]:
    redis = redis_adapter.client(redis_url)
    made = Around(redis)
    yield made
    await made.jobs.finish()
    await made.rooms.close()
    await redis.aclose()


def job(metadata: str = "") -> pb.Job:
    room = models.Room(name="planning", sid="RM_1", creation_time_ms=1_795_000_000_000)
    return pb.Job(id="AJ_1", dispatch_id="AD_1", type=pb.JT_ROOM, room=room, metadata=metadata)


async def test_the_identity_a_job_is_accepted_with_is_that_of_its_meetings_agent(around: Around) -> None:
    answer = around.jobs.offered(job()).availability
    around.jobs.assigned(job(), around.send)
    await until_placed(around)
    assert (answer.available, answer.participant_identity) == (True, f"agent-{next(iter(around.meetings))}")


async def until_placed(around: Around) -> None:
    async def placed() -> bool:
        return bool(around.meetings) and around.statuses() == ["JS_RUNNING"]

    await until(placed)


async def test_no_final_status_comes_in_the_first_second_in_which_livekit_would_lose_it(around: Around) -> None:
    began = time.monotonic()
    around.jobs.assigned(job("{"), around.send)
    await around.until_said(2)
    assert around.statuses() == ["JS_RUNNING", "JS_FAILED"]
    assert around.said[1][0] - began >= 0.99


async def test_a_meeting_whose_end_was_not_heard_ends_its_job(around: Around) -> None:
    around.jobs.assigned(job(), around.send)
    await until_placed(around)
    await around.jobs.tidy()
    assert around.jobs.count == 1
    [meeting] = around.meetings.values()
    around.meetings[meeting.id] = meeting.model_copy(update={"state": "ended"})

    async def tidied() -> bool:
        await around.jobs.tidy()
        return around.jobs.count == 0

    await until(tidied)
    await around.until_said(2)
    assert around.statuses() == ["JS_RUNNING", "JS_SUCCESS"]


async def test_a_lost_connection_takes_its_jobs_along_and_says_nothing_more(around: Around) -> None:
    around.jobs.assigned(job(), around.send)
    await until_placed(around)
    around.jobs.lost()
    await around.jobs.meeting_ending(EndMeeting(tenant="acme", meeting_id=next(iter(around.meetings))))
    await around.jobs.finish()
    assert (around.jobs.count, around.statuses()) == (0, ["JS_RUNNING"])


async def test_whoever_finishes_takes_no_more_jobs_and_closes_those_there_are(around: Around) -> None:
    around.jobs.assigned(job(), around.send)
    await until_placed(around)
    await around.jobs.finish()
    assert around.statuses() == ["JS_RUNNING", "JS_SUCCESS"]
    assert not around.jobs.offered(job()).availability.available


async def test_a_livekit_that_does_not_answer_is_a_reason_to_ask_again(around: Around) -> None:
    with pytest.raises(Retryable):
        await around.rooms.all()
