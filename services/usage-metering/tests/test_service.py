"""The service on a real NATS and both databases: events in, ledgers out."""

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

import pytest
from roomscribe_common.errors import ProblemError
from roomscribe_usage_metering.adapters import database
from roomscribe_usage_metering.adapters.schema import EVIDENCE
from sqlalchemy import func, select

from .conftest import Bench, Start, until
from .events import Meeting

MORTAL = Path(__file__).with_name("dies_before_ack.py")


async def test_a_meeting_that_ended_is_told_once_with_its_lines_and_its_price(metering: Start, bench: Bench) -> None:
    meeting = Meeting()
    async with metering(usage_quiet_s=1.0):
        await bench.say(*meeting.life())
        [told] = await bench.until_told()
        assert told.id == f"usage:mtg_1:{told.data.digest}"
        assert told.data.closed
        assert told.data.totals["webrtc_participant_minutes"] == "5"
        assert told.data.totals["agent_session_minutes"] == "2"
        assert not any(line.open for line in told.data.lines)
        assert told.data.estimate is not None
        assert told.data.estimate.book == "livekit-cloud-ship"
        await until(lambda: _is_closed(bench))
        answered = await bench.usage()
        month = await bench.period("2026-11")
    assert answered == told.data
    assert [(one.meeting_id, one.closed, one.totals) for one in month.meetings] == [("mtg_1", True, told.data.totals)]


async def _is_closed(bench: Bench) -> bool:
    return (await bench.usage()).closed


async def test_every_event_twice_and_in_any_order_is_the_same_ledger(metering: Start, bench: Bench) -> None:
    events = Meeting().life() * 2
    random.Random(7).shuffle(events)
    async with metering():
        await bench.say(*events)
        await until(bench.settled)
        usage = await bench.usage()
    assert usage.totals["webrtc_participant_minutes"] == "5"
    assert usage.totals["llm_input_tokens"] == "100"
    assert await bench.dead() == 0


async def test_late_evidence_closes_the_ledger_again_under_another_id(metering: Start, bench: Bench) -> None:
    meeting = Meeting()

    async def told_again() -> bool:
        return (await bench.told())[-1].data.totals["llm_input_tokens"] == "200"

    async with metering():
        await bench.say(*meeting.life())
        await until(bench.settled)
        before = await bench.until_told()
        await bench.say(meeting.tokens("llm_late"))
        await until(told_again)
    told = await bench.told()
    assert told[: len(before)] == before
    assert len({one.id for one in told}) == len(told) > len(before)


async def test_a_running_meeting_shows_what_it_used_so_far(metering: Start, bench: Bench) -> None:
    meeting = Meeting()
    joined = meeting.webhook("participant_joined", "PA_anna", 1, 1)
    async with metering():
        await bench.say(meeting.started(), meeting.agent_joined(), joined, meeting.heartbeat(5))
        await until(bench.settled)
        usage = await bench.usage()
    assert not usage.closed
    assert usage.totals["agent_session_minutes"] == "2"
    assert all(line.open for line in usage.lines)


async def test_a_leave_that_never_comes_closes_the_ledger_after_the_grace(metering: Start, bench: Bench) -> None:
    meeting = Meeting()
    joined = meeting.webhook("participant_joined", "PA_anna", 1, 1)
    async with metering(usage_close_grace_s=0.1):
        await bench.say(meeting.agent_joined(), joined, meeting.heartbeat(1), meeting.ended(30))
        [told] = await bench.until_told()
    [line] = [line for line in told.data.lines if line.line_id == "webrtc:PA_anna"]
    assert (line.basis, line.open, line.billed) == ("last_seen", False, "1")


async def test_another_tenants_meeting_is_none_that_exists(metering: Start, bench: Bench) -> None:
    async with metering():
        await bench.say(*Meeting().life())
        await until(bench.settled)
        with pytest.raises(ProblemError) as refused:
            await bench.usage("mtg_1", tenant="globex")
        month = await bench.period("2026-11", tenant="globex")
    assert refused.value.problem.status == 404
    assert month.meetings == []
    assert set(month.totals.values()) == {"0"}


async def test_a_database_without_tables_is_given_them_and_what_is_no_month_is_refused_by_name(
    metering: Start, bench: Bench, empty_database_url: str
) -> None:
    async with metering(database_url=empty_database_url):
        with pytest.raises(ProblemError) as refused:
            await bench.period("2026-13")
    assert refused.value.problem.status == 422
    assert [error.field for error in refused.value.problem.errors] == ["period"]


async def test_a_webhook_without_its_participant_is_dead_lettered_and_the_rest_goes_on(
    metering: Start, bench: Bench
) -> None:
    meeting = Meeting()
    bad = meeting.webhook("participant_left", "", 5)
    async with metering():
        await bench.say(bad, *meeting.life())
        await bench.until_told()
        await until(bench.settled)
    assert await bench.dead() == 1


async def test_a_kill_between_commit_and_ack_neither_loses_nor_doubles(
    metering: Start, bench: Bench, streams: str, database_url: str
) -> None:
    meeting = Meeting()
    await bench.redeliver_after(2.0)
    await bench.say(*meeting.life())
    await _run_until_killed(streams, database_url)
    assert await _rows(database_url) > 0
    async with metering():
        await until(bench.settled)
        usage = await bench.usage()
        await bench.until_told()
    assert usage.totals["webrtc_participant_minutes"] == "5"
    assert usage.totals["stt_audio_minutes"] == "0.033333333333"
    assert await _rows(database_url) == len(meeting.life())


async def _run_until_killed(nats_url: str, database_url: str) -> None:
    environment = {**os.environ, "ROOMSCRIBE_NATS_URL": nats_url, "ROOMSCRIBE_DATABASE_URL": database_url}
    process = await asyncio.create_subprocess_exec(sys.executable, str(MORTAL), env=environment)
    try:
        assert await asyncio.wait_for(process.wait(), 30) == -signal.SIGKILL
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _rows(database_url: str) -> int:
    engine = database.open_engine(database_url, 10)
    async with engine.connect() as connection:
        count = await connection.scalar(select(func.count()).select_from(EVIDENCE))
    await engine.dispose()
    return count or 0


async def test_a_database_that_cannot_be_reached_is_named_with_its_setting(streams: str) -> None:
    nowhere = "postgresql+asyncpg://someone:secret@127.0.0.1:1/none"
    environment = {
        **os.environ,
        "ROOMSCRIBE_NATS_URL": streams,
        "ROOMSCRIBE_DATABASE_URL": nowhere,
        "ROOMSCRIBE_START_TIMEOUT_S": "1",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "roomscribe_usage_metering",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert b"127.0.0.1:1" in output
    assert b"ROOMSCRIBE_DATABASE_URL" in output
    assert b"secret" not in output
    assert b"Traceback" not in output
