"""Recurring meetings, on real NATS and Redis."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from roomscribe_common.contracts.commands import SeriesView
from roomscribe_common.contracts.meeting import MeetingRequested
from roomscribe_common.errors import ProblemError
from roomscribe_dispatcher.adapters.store import MeetingStore
from roomscribe_dispatcher.series.domain import occurrence
from roomscribe_dispatcher.series.store import SeriesStore

from .conftest import Bench, Start


def soon(seconds: float) -> datetime:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).replace(microsecond=0)


async def made(bench: Bench, series: SeriesView, count: int) -> Sequence[MeetingRequested]:
    """Its meetings in order of time, once there are so many."""

    async def found() -> list[MeetingRequested]:
        return [each for each in await bench.requested() if each.data.series_id == series.spec.series_id]

    async def reached() -> bool:
        return len(await found()) >= count

    await bench.until(reached)
    return sorted(await found(), key=lambda each: each.data.meeting_id)


async def test_the_next_meetings_of_a_series_are_meetings_of_their_own(dispatcher: Start, bench: Bench) -> None:
    join_at = soon(3600)
    async with dispatcher(dispatcher_occurrences_ahead=3):
        series = await bench.start_series(join_at=join_at, title="Stand-up", metadata={"team": "blue"})
        meetings = await made(bench, series, 3)
        view = await bench.start("elsewhere", meeting_id=meetings[1].data.meeting_id)
    days = [join_at, join_at + timedelta(days=1), join_at + timedelta(days=2)]
    assert [each.join_at for each in series.occurrences] == [each.data.join_at for each in meetings]
    assert [each.astimezone(UTC).date() for each in days] == [each.join_at.date() for each in series.occurrences]
    assert [each.meeting_id for each in series.occurrences] == [each.data.meeting_id for each in meetings]
    assert meetings[0].data.meeting_id == f"mtg_{series.spec.series_id[4:]}_{join_at:%Y%m%dT%H%M%SZ}"
    assert {(each.data.room, each.data.title, each.data.started_at) for each in meetings} == {
        ("daily", "Stand-up", None)
    }
    assert (view.state, view.spec.metadata) == ("scheduled", {"team": "blue"})
    assert await bench.jobs() == []


async def test_a_meeting_is_attended_at_its_moment_and_the_next_one_is_made(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher("one", dispatcher_occurrences_ahead=2), dispatcher("two", dispatcher_occurrences_ahead=2):
        join_at = soon(3)
        series = await bench.start_series(join_at=join_at)
        job = await bench.until_job(1)
        meetings = await made(bench, series, 3)
    assert job.data.meeting_id == meetings[0].data.meeting_id == series.occurrences[0].meeting_id
    assert job.data.started_at == join_at
    assert [job.data.meeting_id for job in await bench.jobs()] == [meetings[0].data.meeting_id]
    assert len(meetings) == 3


async def test_no_meeting_is_made_twice_by_racing_replicas_restarts_or_an_empty_redis(
    dispatcher: Start, bench: Bench
) -> None:
    async with dispatcher("one"), dispatcher("two"), dispatcher("three"):
        join_at = soon(3600)
        views = await asyncio.gather(*(bench.start_series(join_at=join_at, key="same") for _ in range(8)))
        assert sum(view.created for view in views) == 1
        [id] = {view.spec.series_id for view in views}
        meetings = await made(bench, views[0], 10)
        await bench.end(meetings[4].data.meeting_id)
        await bench.forget()
        assert (await bench.start("elsewhere", meeting_id=meetings[5].data.meeting_id)).state == "scheduled"
    await bench.forget()
    async with dispatcher("four"):
        again = await bench.start_series(join_at=join_at, key="same")
        assert (again.created, again.spec.series_id) == (False, id)
        await bench.until(lambda: _tended(bench, id))
        cancelled = await MeetingStore(bench.redis).get("acme", meetings[4].data.meeting_id)
    assert cancelled is None or cancelled.over, "what was cancelled must not come back with the series"
    assert len(await bench.requested()) == 10
    assert [each.data.meeting_id for each in await bench.ended()] == [meetings[4].data.meeting_id]


async def _tended(bench: Bench, series_id: str) -> bool:
    series = await SeriesStore(bench.redis).get("acme", series_id)
    return series is not None and series.made_until is not None


async def test_a_series_goes_on_after_redis_and_every_dispatcher_were_gone(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher(dispatcher_occurrences_ahead=1):
        join_at = soon(3)
        series = await bench.start_series(join_at=join_at)
        await made(bench, series, 1)
    await bench.forget()
    async with dispatcher(dispatcher_occurrences_ahead=1):
        job = await bench.until_job(1)
        meetings = await made(bench, series, 2)
    assert job.data.meeting_id == meetings[0].data.meeting_id
    assert len(meetings) == 2


async def test_a_cancelled_series_cancels_what_is_scheduled_and_makes_no_more(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher("one", dispatcher_occurrences_ahead=3), dispatcher("two", dispatcher_occurrences_ahead=3):
        series = await bench.start_series(join_at=soon(3))
        await made(bench, series, 3)
        agent = await bench.agent()
        await made(bench, series, 4)
        await asyncio.gather(*(bench.end_series(series.spec.series_id) for _ in range(3)))
        cancelled = {each.data.meeting_id: each.data.reason for each in await bench.ended()}
        present = await bench.start("elsewhere", meeting_id=agent.job.meeting_id)
        await bench.forget()
        await bench.end_series(series.spec.series_id)
    assert set(cancelled.values()) == {"cancelled"}
    assert len(cancelled) == 3
    assert present.state == "live", "the meeting that is on goes on"
    [over] = await bench.series_ended()
    assert (over.data.series_id, over.data.reason) == (series.spec.series_id, "requested")
    assert len(await bench.requested()) == 4


async def test_no_meeting_is_made_of_a_series_that_changed_meanwhile(dispatcher: Start, bench: Bench) -> None:
    """Whoever read the series before it was cancelled may come to its meetings only after that."""
    async with dispatcher(dispatcher_occurrences_ahead=1):
        view = await bench.start_series(join_at=soon(3600))
        store, meetings = SeriesStore(bench.redis), MeetingStore(bench.redis)
        read = await store.get("acme", view.spec.series_id)
        assert read is not None
        await bench.end_series(view.spec.series_id)
        late = occurrence(read, soon(2 * 86_400), datetime.now(UTC))
        assert await meetings.claim(late, soon(0), series_version=read.version) == "stale"


async def test_a_series_without_further_meetings_ends(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        series = await bench.start_series("FREQ=DAILY;COUNT=1", join_at=soon(2))

        async def over() -> bool:
            return bool(await bench.series_ended())

        await bench.until(over)
    [event] = await bench.series_ended()
    assert (event.data.series_id, event.data.reason) == (series.spec.series_id, "completed")
    assert await bench.ended() == []
    assert len(await bench.requested()) == 1


async def test_only_meetings_within_a_year_exist(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        series = await bench.start_series("FREQ=MONTHLY;INTERVAL=5", join_at=soon(3600))
    assert len(series.occurrences) == 3


async def test_a_series_that_is_not_there_cannot_be_ended(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher():
        with pytest.raises(ProblemError) as refused:
            await bench.end_series("ser_1")
    assert (refused.value.problem.status, refused.value.problem.type.rsplit(":", 1)[1]) == (404, "series-not-found")


@pytest.mark.parametrize(
    ("given", "field", "why"),
    [
        ({"recurrence": "FREQ=SECONDLY"}, "recurrence", "FREQ must be one of"),
        ({"recurrence": "FREQ=DAILY;COUNT=1000000"}, "recurrence", "from 1 to 1000"),
        ({"recurrence": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "recurrence", "no occurrence"),
        ({"recurrence": "FREQ=DAILY;UNTIL=20200101T000000Z"}, "recurrence", "no occurrence"),
        ({"time_zone": "Middle/Earth"}, "time_zone", "IANA"),
        ({"join_at": datetime(2020, 1, 1, tzinfo=UTC)}, "join_at", "more than 5 minutes ago"),
        ({"join_at": datetime(2090, 1, 1, tzinfo=UTC)}, "join_at", "more than 366 days ahead"),
        ({"mode": "copilot"}, "mode", "only 'listen'"),
        ({"language": "fr"}, "language", "one of en"),
        ({"series_id": "x" * 50}, "series_id", "at most 40"),
    ],
)
async def test_a_series_that_makes_no_sense_is_refused_by_field_and_limit(
    dispatcher: Start, bench: Bench, given: dict[str, object], field: str, why: str
) -> None:
    async with dispatcher():
        with pytest.raises(ProblemError) as refused:
            await bench.start_series(**({"join_at": soon(60)} | given))  # pyright: ignore[reportArgumentType]  # any field
    problem = refused.value.problem
    assert (problem.status, [error.field for error in problem.errors]) == (422, [field])
    assert why in problem.errors[0].detail
    assert await bench.requested() == []
