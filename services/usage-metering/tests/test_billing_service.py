"""Periods and invoices on a real NATS and both databases: closed by the service, told once whatever is killed."""

import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from roomscribe_common.contracts.billing import InvoiceIssued
from roomscribe_common.contracts.invoices import Explained, ExplainLine, GetInvoice, Invoice
from roomscribe_common.errors import ProblemError
from roomscribe_common.service import StartFailed
from roomscribe_common.stored import stored
from roomscribe_common.subjects import EXPLAIN, INVOICE, subject_of
from roomscribe_usage_metering.accounts import load_accounts
from roomscribe_usage_metering.adapters import database
from roomscribe_usage_metering.pricing.books import built_in

from .billing import Till
from .conftest import Bench, Start, until
from .events import Meeting

MORTAL = Path(__file__).with_name("dies_closing.py")
OCTOBER = datetime(2026, 10, 31, 23, 59, tzinfo=UTC)
"""Long enough ago, whenever the test runs: its period is over, and its grace too."""


async def _told(bench: Bench, period: str) -> list[InvoiceIssued]:
    subject = subject_of(InvoiceIssued, "acme", period)
    return [InvoiceIssued.model_validate_json(m.data) async for m in stored(bench.nc, "BILLING", subject)]


async def _invoice(bench: Bench, period: str | None, tenant: str = "acme") -> Invoice:
    return await bench.bus.request(INVOICE, GetInvoice(tenant=tenant, period=period), Invoice)


async def _heard(metering: Start, bench: Bench) -> None:
    async with metering():
        await bench.say(*Meeting(start=OCTOBER).life())
        await bench.until_told()


async def test_a_period_that_is_over_is_closed_told_and_explained(metering: Start, bench: Bench) -> None:
    await _heard(metering, bench)
    async with metering():
        await until(lambda: _has(bench, "2026-10"))
        [event] = await _told(bench, "2026-10")
        found = await _invoice(bench, "2026-10")
        assert event.data == found.invoice
        assert (event.id, found.invoice.state) == ("invoice:acme.2026-10", "closed")
        quantities = {line.meter: line.quantity for line in found.invoice.lines}
        # Of each connection and session the first minute is in October; what comes after midnight is November's.
        assert quantities["webrtc_participant_minutes"] == "3"
        [share] = found.meetings
        assert (share.meeting_id, share.amount) == ("mtg_1", found.invoice.total)
        line = ExplainLine(tenant="acme", line_id="webrtc:PA_anna", meeting_id="mtg_1")
        explained = await bench.bus.request(EXPLAIN, line, Explained)
        assert [tick.period for tick in explained.ticks] == ["2026-10", "2026-11"]
        with pytest.raises(ProblemError) as refused:
            await _invoice(bench, "2026-10", "globex")
        assert refused.value.problem.status == 404


async def _has(bench: Bench, period: str) -> bool:
    return bool(await _told(bench, period))


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_kill_while_a_period_is_closed_closes_and_tells_it_once(
    metering: Start, bench: Bench, streams: str, database_url: str, when: str
) -> None:
    await _heard(metering, bench)
    environment = {**os.environ, "ROOMSCRIBE_NATS_URL": streams, "ROOMSCRIBE_DATABASE_URL": database_url}
    process = await asyncio.create_subprocess_exec(sys.executable, str(MORTAL), when, env=environment)
    try:
        assert await asyncio.wait_for(process.wait(), 30) == -signal.SIGKILL
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert await _told(bench, "2026-10") == []
    async with metering():
        await until(lambda: _has(bench, "2026-10"))
        found = await _invoice(bench, "2026-10")
    assert [event.data for event in await _told(bench, "2026-10")] == [found.invoice]
    engine = database.open_engine(database_url, 10)
    till = Till(engine, load_accounts(None, built_in(), "livekit-cloud-ship"), built_in())
    verified = await till.verify()
    await engine.dispose()
    assert verified.ok
    assert verified.periods


async def test_the_running_period_is_a_draft(metering: Start, bench: Bench) -> None:
    now = datetime.now(UTC)
    async with metering():
        await bench.say(*Meeting(start=now.replace(microsecond=0)).life())
        await until(bench.settled)
        found = await _invoice(bench, None)
    assert found.invoice.number is None
    assert found.invoice.period in {f"{now:%Y-%m}", f"{datetime.now(UTC):%Y-%m}"}


async def test_accounts_that_cannot_be_used_stop_the_start_and_name_the_setting(
    metering: Start, tmp_path: Path
) -> None:
    file = tmp_path / "accounts.json"
    file.write_text(json.dumps({"tenants": {"acme": {"anchor_day": 0}}}), "utf-8")
    with pytest.raises(StartFailed, match=r"anchor_day: must be .*; it is 0 \(ROOMSCRIBE_USAGE_ACCOUNTS\)"):
        async with metering(usage_accounts=str(file)):
            pass


async def test_a_price_book_that_changed_what_was_billed_stops_the_start(
    metering: Start, bench: Bench, tmp_path: Path
) -> None:
    [ship] = [book for book in built_in() if book.id == "livekit-cloud-ship"]
    book = json.loads(ship.model_dump_json())
    file = tmp_path / "ours.json"

    def write(base: str) -> None:
        book["id"], book["versions"][0]["base"] = "ours", base
        file.write_text(json.dumps(book), "utf-8")

    write("50")
    settings = {"usage_price_books": str(tmp_path), "usage_price_book": "ours"}
    async with metering(**settings):
        await bench.say(*Meeting(start=OCTOBER).life())
        await bench.until_told()
    write("60")
    with pytest.raises(StartFailed, match=r"ours@2026-06-02 are not those .* \(ROOMSCRIBE_USAGE_PRICE_BOOKS\)"):
        async with metering(**settings):
            pass
