"""How many agents may be in meetings at once, on real NATS and Redis."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError
from roomscribe_common.contracts.commands import MeetingView
from roomscribe_common.errors import Problem, ProblemError
from roomscribe_dispatcher.caps import Caps
from roomscribe_dispatcher.settings import DispatcherSettings

from .conftest import Agent, Bench, Start


async def attempt(bench: Bench, room: str, tenant: str = "acme") -> MeetingView | Problem:
    try:
        return await bench.start(room, tenant=tenant)
    except ProblemError as refused:
        return refused.problem


async def race(bench: Bench, rooms: list[str], tenant: str = "acme") -> tuple[list[MeetingView], list[Problem]]:
    got = await asyncio.gather(*(attempt(bench, room, tenant) for room in rooms))
    return [each for each in got if isinstance(each, MeetingView)], [each for each in got if isinstance(each, Problem)]


def rooms(count: int, of: str = "room") -> list[str]:
    return [f"{of} {number}" for number in range(count)]


async def test_of_a_cap_and_one_racers_at_two_replicas_one_is_refused(dispatcher: Start, bench: Bench) -> None:
    settings = {"dispatcher_tenant_cap": "build", "dispatcher_placement_timeout_s": 60}
    async with dispatcher("one", **settings), dispatcher("two", **settings):
        for turn in range(5):
            views, refused = await race(bench, rooms(6, f"turn {turn}"))
            assert (len(views), len(refused)) == (5, 1)
            assert len(await bench.jobs()) == 5
            await asyncio.gather(*(bench.end(view.spec.meeting_id) for view in views))
    assert len(await bench.requested()) == 25


async def test_a_refusal_says_the_cap_the_use_and_when_to_try_again(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher(dispatcher_tenant_cap=2, dispatcher_tenant_caps={"globex": "build"}, dispatcher_cap=4):
        await race(bench, rooms(2))
        [of_tenant] = (await race(bench, ["one more"]))[1]
        assert (of_tenant.status, of_tenant.type) == (429, "urn:roomscribe:problem:concurrency-limit")
        assert (of_tenant.scope, of_tenant.limit, of_tenant.used, of_tenant.retry_after_s) == ("tenant", 2, 2, 10)
        assert "2 of your 2 concurrent agents" in of_tenant.detail
        views, [of_all] = await race(bench, rooms(3, "globex"), "globex")
        assert len(views) == 2
        assert (of_all.scope, of_all.limit, of_all.used) == ("overall", 4, 4)
        assert not (await bench.start("room 0")).created, "a room that is attended needs no agent more"
    assert all(event.data.room != "one more" for event in await bench.requested())


async def test_a_meeting_that_is_over_makes_room_for_the_next(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher(dispatcher_tenant_cap=1, dispatcher_max_attempts=1):
        first = await bench.start("planning")
        agent = await bench.agent()
        await agent.obey()
        await bench.end(first.spec.meeting_id)
        assert isinstance(await attempt(bench, "review"), Problem), "its agent is still there"
        await agent.leave("requested")
        await bench.until_ended()
        await bench.until(lambda: _let_in(bench, "review"))
        failed = next(each for each in await bench.requested() if each.data.room == "review")
        await bench.until_state(failed.data.meeting_id, "failed")
        assert isinstance(await attempt(bench, "after the failure"), MeetingView)


async def _let_in(bench: Bench, room: str) -> bool:
    return isinstance(await attempt(bench, room), MeetingView)


async def test_caps_hold_when_dispatchers_are_killed_and_redis_comes_back_empty(
    dispatcher: Start, bench: Bench
) -> None:
    settings = {"dispatcher_tenant_cap": 3, "dispatcher_placement_timeout_s": 60}
    async with dispatcher("one", **settings):
        await race(bench, rooms(3))
        for job in await bench.jobs():
            await Agent(bench, job).join()
        await bench.until(bench.settled)
    async with dispatcher("two", **settings), dispatcher("three", **settings):
        assert [refused.used for refused in (await race(bench, rooms(4, "again")))[1]] == [3, 3, 3, 3]
        await bench.forget()
        assert [refused.used for refused in (await race(bench, rooms(4, "empty")))[1]] == [3, 3, 3, 3]


async def test_what_counts_without_a_meeting_frees_itself(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher(dispatcher_tenant_cap=2, dispatcher_placement_timeout_s=60):
        lost = (await bench.start("planning")).spec.meeting_id
        await bench.start("review")
        assert isinstance(await attempt(bench, "third"), Problem)
        await bench.redis.delete(f"rs:{{dispatcher}}:meeting:acme:{lost}")
        assert isinstance(await attempt(bench, "third"), MeetingView)


async def test_a_scheduled_meeting_counts_when_it_begins_and_waits_for_the_cap(dispatcher: Start, bench: Bench) -> None:
    async with dispatcher(dispatcher_tenant_cap=1, dispatcher_join_early_s=0.1):
        scheduled = await bench.start("later", join_at=datetime.now(UTC) + timedelta(seconds=1))
        await bench.start("planning")
        present = await bench.agent()

        async def waits() -> bool:
            return bool(await bench.delayed())

        await bench.until(waits)
        [delayed] = await bench.delayed()
        assert (delayed.data.meeting_id, delayed.data.reason) == (scheduled.spec.meeting_id, "concurrency_limit")
        await present.leave("empty_room")

        async def sent() -> bool:
            return any(job.data.meeting_id == scheduled.spec.meeting_id for job in await bench.jobs())

        await bench.until(sent)
        assert isinstance(await attempt(bench, "now it is full"), Problem)


def settings(**given: object) -> DispatcherSettings:
    return DispatcherSettings.model_validate({"nats_url": "nats://127.0.0.1:4222"} | given)


def test_a_cap_is_a_number_or_a_preset_and_a_tenant_may_have_its_own() -> None:
    caps = settings(dispatcher_cap="scale", dispatcher_tenant_cap="20", dispatcher_tenant_caps={"a": "build"}).caps
    assert caps == Caps(overall=600, tenant=20, tenants={"a": 5})
    assert (caps.of("a"), caps.of("b")) == (5, 20)
    assert settings(dispatcher_cap="ship").caps.overall == 20
    for bad in ("many", "-1", -1, 2_000_000):
        with pytest.raises(ValidationError, match="dispatcher_cap"):
            settings(dispatcher_cap=bad)
