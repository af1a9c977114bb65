"""Invoices on both databases: what a line says, whose it is, and what it rests on."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from roomscribe_common.errors import ProblemError
from roomscribe_usage_metering.accounts import load_accounts
from roomscribe_usage_metering.adapters.entries import append
from roomscribe_usage_metering.pricing.books import Books, built_in, read_book
from sqlalchemy.ext.asyncio import AsyncEngine

from .billing import Till, at, late_guest, talk
from .events import Meeting


def book(*versions: dict[str, Any]) -> Books:
    """The built-in books and one of our own."""
    content = {
        "schema": "price-book/1",
        "id": "ours",
        "name": "Ours",
        "kind": "livekit-cloud",
        "currency": "USD",
        "source": {"text": "agreed on the phone", "status": "contract"},
        "versions": list(versions),
    }
    return built_in().with_book(read_book(json.dumps(content), "ours.json"))


def version(name: str, price: str, base: str = "0", included: str = "0", **dates: str) -> dict[str, Any]:
    rates = {"webrtc_participant_minutes": {"included": included, "unit_price": price}}
    return {"version": name, "base": base, "rates": rates, **dates}


def open_till(engine: AsyncEngine, path: Path, books: Books, **account: Any) -> Till:
    path.write_text(json.dumps({"default": account}), "utf-8")
    return Till(engine, load_accounts(path, books, "livekit-cloud-ship"), books)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "accounts.json"


async def test_a_price_that_changes_within_a_period_prices_what_comes_after_it(engine: AsyncEngine, file: Path) -> None:
    # 20:00 to 23:00 in Berlin with midnight at 22:00 UTC: the new price holds from local midnight on.
    books = book(
        version("1", "0.10", "30", "100", valid_until="2026-11-15"),
        version("2", "1.00", "99", "500", valid_from="2026-11-15"),
    )
    till = open_till(engine, file, books, time_zone="Europe/Berlin", plans=[{"from": "2026-01-01", "plan": "ours"}])
    await till.hear(talk("mtg_1", at(11, 14, 22), 120), at(11, 15, 1))
    await till.close(at(12, 2))
    invoice = (await till.invoice("2026-11", at(12, 2))).invoice
    told = [(one.price, one.meter, one.quantity, one.allowance, one.amount) for one in invoice.lines]
    # The base and the allowance are the first version's; what is left of the allowance goes on to the second.
    assert [one for one in told if one[1] != "agent_session_minutes"] == [
        ("ours@1", "plan_base", "1", "0", "30.00"),
        ("ours@1", "webrtc_participant_minutes", "120", "100", "2.00"),
        ("ours@2", "webrtc_participant_minutes", "120", "0", "120.00"),
    ]
    assert invoice.total == "152.00"
    assert invoice.starts_at == datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert (await till.verify()).ok


async def test_an_account_charges_for_what_its_plan_does_not_sell(engine: AsyncEngine, file: Path) -> None:
    meeting = Meeting(start=at(11, 2, 9))
    said = [meeting.final(f"utt_{n}", 60_000) for n in range(10)]
    charges = {"stt_audio_minutes": {"unit_price": "0.006"}}
    till = open_till(engine, file, built_in(), charges=charges)
    await till.hear([meeting.started(), *said, meeting.tokens("llm_1"), meeting.ended(900)], at(11, 2, 10))
    await till.close(at(12, 2))
    invoice = (await till.invoice("2026-11", at(12, 2))).invoice
    [stt] = [line for line in invoice.lines if line.meter == "stt_audio_minutes"]
    assert (stt.line_id, stt.price, stt.quantity, stt.amount) == ("account:stt_audio_minutes", "account", "10", "0.06")
    # Nobody sells tokens here: they are named, and cost nothing.
    assert not [line for line in invoice.lines if line.meter.startswith("llm")]
    assert [
        note for note in invoice.notes if note.startswith("100 tokens of model input, not cached: used at no charge")
    ]


async def test_what_a_hard_cap_refuses_to_sell_is_named_and_not_charged(engine: AsyncEngine, file: Path) -> None:
    till = open_till(engine, file, built_in(), plans=[{"from": "2026-01-01", "plan": "livekit-cloud-build"}])
    await till.hear(talk("mtg_1", at(11, 2), 1_200), at(11, 3))
    invoice = await till.draft(at(11, 4))
    assert invoice.total == "0.00"
    assert [note for note in invoice.notes if "1200 min of sessions of agents: livekit-cloud-build" in note]


async def test_meetings_bear_the_invoice_to_the_cent_page_by_page(engine: AsyncEngine, file: Path) -> None:
    books = book(version("1", "0.007", "10"))
    till = open_till(engine, file, books, plans=[{"from": "2026-01-01", "plan": "ours"}])
    await till.hear(
        chain.from_iterable(talk(f"mtg_{number:03}", at(11, 2, 9), 7 + number % 3) for number in range(103)),
        at(11, 2, 10),
    )
    for closed in (False, True):
        if closed:
            await till.close(at(12, 2))
        first = await till.invoice("2026-11", at(12, 2))
        second = await till.invoice("2026-11", at(12, 2), after=first.next_cursor)
        shares = [*first.meetings, *second.meetings]
        assert (len(first.meetings), len(second.meetings), second.next_cursor) == (100, 3, None)
        for line in first.invoice.lines:
            assert sum(Decimal(share.lines.get(line.line_id, "0")) for share in shares) == Decimal(line.amount)
        assert sum(Decimal(share.amount) for share in shares) == Decimal(first.invoice.total)
        assert shares[0].room == "planning"


async def test_the_most_that_ran_at_once_stands_on_the_invoice_beside_what_the_plan_serves(till: Till) -> None:
    # Three overlap from 9:20 to 9:30; a fourth begins when the third ends; a fifth runs into the next month.
    for number, (minute, length) in enumerate(((0, 30), (10, 30), (20, 20), (40, 10))):
        await till.hear(talk(f"mtg_{number}", at(11, 2, 9, minute), length), at(11, 2, 11))
    await till.hear(talk("mtg_long", at(11, 30, 23, 50), 60, people=4), at(12, 1, 2))
    draft = (await till.invoice("2026-11", at(12, 1, 12))).invoice
    await till.close(at(12, 2))
    for guest in range(7):
        await till.hear(late_guest("mtg_1", at(11, 2, 9, 10), 30, f"PA_late_{guest}"), at(12, 5))
    invoice = (await till.invoice("2026-11", at(12, 6))).invoice
    assert invoice.peaks == draft.peaks
    assert [(one.what, one.most, one.at, one.ceiling) for one in invoice.peaks] == [
        ("agent_sessions", 3, at(11, 2, 9, 20), 20),
        ("connections", 6, at(11, 2, 9, 20), 1_000),
    ]
    assert invoice.notes[0] == (
        "At most 3 agent sessions ran at once, first at 2026-11-02 09:20:00 UTC; the plan serves 20."
    )
    december = (await till.invoice("2026-12", at(12, 6))).invoice
    assert [(one.most, one.at) for one in december.peaks] == [(1, at(12, 1)), (5, at(12, 1))]
    assert (await till.verify()).ok


async def test_more_at_once_than_the_plan_serves_is_said(engine: AsyncEngine, file: Path) -> None:
    books = book(version("1", "0.10") | {"ceilings": {"agent_sessions": 1}})
    till = open_till(engine, file, books, plans=[{"from": "2026-01-01", "plan": "ours"}])
    for number in range(2):
        await till.hear(talk(f"mtg_{number}", at(11, 2, 9), 30), at(11, 2, 11))
    assert (await till.draft(at(11, 3))).notes[:2] == [
        "At most 2 agent sessions ran at once, first at 2026-11-02 09:00:00 UTC: more than the 1 that the plan serves.",
        "At most 4 connections ran at once, first at 2026-11-02 09:00:00 UTC.",
    ]


async def test_what_was_booked_before_starts_were_kept_has_no_peak(till: Till) -> None:
    await till.hear(talk("mtg_1", at(11, 2, 9), 30), at(11, 2, 10))
    [old] = [one for one in await till.paid("2026-11") if one.slot.line_id == "webrtc:PA_mtg_1_0"]
    async with till.engine.begin() as connection:
        slot = replace(old.slot, line_id="webrtc:PA_old")
        await connection.run_sync(append, [replace(old, slot=slot, start_ms=None)], 0)
    assert [one.what for one in (await till.draft(at(11, 3))).peaks] == ["agent_sessions"]


async def test_a_draft_becomes_the_invoice_and_differs_in_nothing_but_being_issued(till: Till) -> None:
    for number in range(3):
        await till.hear(talk(f"mtg_{number}", at(11, 2 + number, 9), 50), at(11, 20))
    running = Meeting("mtg_runs", "acme", "RM_runs", at(11, 30, 23, 50))
    await till.hear([running.started(), running.agent_joined(), running.heartbeat(60)], at(12, 1, 0, 5))
    draft = (await till.invoice("2026-11", at(12, 1, 12))).invoice
    assert (draft.state, draft.number) == ("grace", None)
    await till.close(at(12, 2))
    invoice = (await till.invoice("2026-11", at(12, 2))).invoice
    changed = {"state", "number", "issued_at", "digest", "watermark", "notes"}
    assert draft.model_dump(exclude=changed) == invoice.model_dump(exclude=changed)


@pytest.mark.parametrize(
    ("period", "status", "why"),
    [
        ("2026-13", 422, "not a calendar month"),
        ("2026-10", 404, "nothing was used by then"),
        ("2027-01", 404, "it begins at 2027-01-01"),
    ],
)
async def test_an_invoice_that_cannot_be_is_refused_by_name(till: Till, period: str, status: int, why: str) -> None:
    await till.hear(talk("mtg_1", at(11, 2, 9), 10), at(11, 2, 10))
    with pytest.raises(ProblemError, match=why) as refused:
        await till.invoice(period, at(12, 5))
    assert refused.value.problem.status == status


async def test_a_tenant_sees_no_other_tenants_invoice_line_or_meeting(till: Till) -> None:
    await till.hear(talk("mtg_1", at(11, 2, 9), 10), at(11, 2, 10))
    with pytest.raises(ProblemError, match="no invoice"):
        await till.invoice("2026-11", at(11, 5), "globex")
    with pytest.raises(ProblemError, match="no line") as refused:
        await till.explain(at(11, 5), "webrtc:PA_mtg_1_0", meeting_id="mtg_1", tenant="globex")
    assert refused.value.problem.status == 404


async def test_an_account_that_moves_to_another_plan_books_its_open_period_anew(
    engine: AsyncEngine, file: Path
) -> None:
    till = open_till(engine, file, built_in())
    await till.hear(talk("mtg_1", at(11, 2, 9), 45), at(11, 2, 10))
    moved = open_till(engine, file, built_in(), plans=[{"from": "2026-11-01", "plan": "livekit-cloud-scale"}])
    await moved.start()
    await moved.hear([], at(11, 5))
    assert sum(entry.steps for entry in await moved.paid("2026-11") if "ship" in entry.slot.price) == 0
    await moved.close(at(12, 2))
    invoice = (await moved.invoice("2026-11", at(12, 2))).invoice
    assert {line.price for line in invoice.lines} == {"livekit-cloud-scale@2026-06-02"}
    assert invoice.total == "500.00"
    assert (await moved.verify()).ok


async def test_a_change_of_calendar_leaves_no_minute_unpaid_and_none_paid_twice(
    engine: AsyncEngine, file: Path
) -> None:
    till = open_till(engine, file, built_in())
    await till.hear(talk("mtg_1", at(11, 30, 23, 30), 120), at(12, 1, 2))
    await till.close(at(12, 2))
    moved = open_till(engine, file, built_in(), time_zone="America/New_York", anchor_day=15)
    await moved.start()
    await moved.hear(talk("mtg_2", at(1, 14, 23, year=2027), 120), at(1, 15, 2, year=2027))
    await moved.close(at(3, 1, year=2027))
    assert [(one.period.name, one.period.end_ms) for one in await moved.closed()][:2] == [
        ("2026-11", int(at(12, 1).timestamp()) * 1000),
        ("2026-12", int(at(1, 15, 5, year=2027).timestamp()) * 1000),
    ]
    paid = [entry for name in ("2026-11", "2026-12", "2027-01") for entry in await moved.paid(name)]
    minutes = sum(entry.steps for entry in paid if entry.slot.meter == "agent_session_minutes")
    assert minutes == 240
    assert (await moved.verify()).ok


async def test_prices_that_change_under_their_versions_name_are_refused_at_the_start(
    engine: AsyncEngine, file: Path
) -> None:
    plans = [{"from": "2026-01-01", "plan": "ours"}]
    till = open_till(engine, file, book(version("1", "0.10")), plans=plans)
    await till.hear(talk("mtg_1", at(11, 2, 9), 45), at(11, 2, 10))
    await open_till(engine, file, book(version("1", "0.1000", valid_until="2027-01-01")), plans=plans).start()
    with pytest.raises(ValueError, match="the prices of ours@1 are not those use was booked at"):
        await open_till(engine, file, book(version("1", "0.11")), plans=plans).start()
    # A book whose file is gone is priced as it was kept.
    gone = open_till(engine, file, built_in())
    await gone.start()
    draft = await gone.draft(at(11, 5))
    assert draft.total == "50.00"
