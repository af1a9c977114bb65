"""Periods on both databases: closed once, corrected by entries, never changed."""

import asyncio
from datetime import timedelta

import pytest
from roomscribe_common.errors import ProblemError
from roomscribe_usage_metering.adapters.outbox import Outbox
from roomscribe_usage_metering.domain.lines import epoch_ms
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from .billing import Till, at, late_guest, talk
from .events import Meeting


async def test_a_period_is_closed_once_its_grace_is_over(till: Till) -> None:
    await till.hear(talk("mtg_1", at(11, 2, 9), 45, people=2), at(11, 2, 10))
    await till.close(at(12, 1, 23, 59))
    assert await till.closed() == []
    await till.close(at(12, 2))
    [close] = await till.closed()
    assert close.period.name == "2026-11"
    found = await till.invoice("2026-11", at(12, 2))
    assert (found.invoice.number, found.invoice.state, found.invoice.digest) == ("acme.2026-11", "closed", close.digest)
    # Three connections and a session of 45 minutes are within what Ship includes: the base is what is paid.
    amounts = {line.meter: (line.quantity, line.amount) for line in found.invoice.lines}
    assert amounts["plan_base"] == ("1", "50.00")
    assert amounts["webrtc_participant_minutes"] == ("135", "0.00")
    assert amounts["agent_session_minutes"] == ("45", "0.00")
    assert found.invoice.total == "50.00"
    assert (await till.verify()).ok


async def test_the_invoice_is_in_the_outbox_with_the_close_and_once(till: Till) -> None:
    await till.hear(talk("mtg_1", at(11, 2, 9), 45), at(11, 2, 10))
    for _ in range(2):
        await till.close(at(12, 2))
    kinds = [(one.kind, one.key) for one in await Outbox(till.engine).unsent(10)]
    assert kinds[1:] == [("billing.v1.invoice_issued", "invoice:acme.2026-11")]
    assert kinds[0][0] == "usage.v1.meeting"


async def test_replicas_that_close_at_once_close_it_once(till: Till) -> None:
    await till.hear(talk("mtg_1", at(11, 2, 9), 45), at(11, 2, 10))
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(till.close(at(12, 2)))
    assert len(await till.closed()) == 1
    assert len(await till.paid("2026-11")) == len({entry.key for entry in await till.paid("2026-11")})


async def test_a_meeting_over_the_end_of_a_period_is_paid_in_both_minute_by_minute(till: Till) -> None:
    # From 23:30:30 for an hour: ticks at :30 of each minute, 30 of them in November and 30 in December.
    start = at(11, 30, 23, 30) + timedelta(seconds=30)
    meeting = talk("mtg_1", start, 60)
    await till.hear(meeting[:2], at(11, 30, 23, 31))
    await till.close(at(12, 2))
    await till.hear(meeting[2:], at(12, 2, 1))
    november, december = [await till.invoice(name, at(12, 2, 2)) for name in ("2026-11", "2026-12")]
    assert (november.invoice.state, december.invoice.state) == ("closed", "running")
    await till.close(at(1, 2, year=2027))
    december = await till.invoice("2026-12", at(1, 3, year=2027))
    by_period = {
        of_period: sum(
            entry.steps
            for entry in await till.paid("2026-12")
            if entry.slot.of_period == of_period and entry.slot.meter == "webrtc_participant_minutes"
        )
        for of_period in ("2026-11", "2026-12")
    }
    # What was heard after November was closed is paid in December, and says of which period it is.
    assert by_period == {"2026-11": 60, "2026-12": 60}
    [correction] = [
        line
        for line in december.invoice.lines
        if line.kind == "correction" and line.meter == "webrtc_participant_minutes"
    ]
    assert (correction.of_period, correction.quantity, correction.amount) == ("2026-11", "60", "0.00")
    assert (await till.verify()).ok


async def test_a_meeting_that_still_runs_is_booked_up_to_the_end_of_the_period(till: Till) -> None:
    meeting = Meeting(start=at(11, 30, 23, 50))
    beats = [meeting.heartbeat(seq) for seq in (20, 40, 80)]
    await till.hear([meeting.started(), meeting.agent_joined(), *beats], at(12, 1, 0, 20))
    await till.close(at(12, 2))
    session = [entry for entry in await till.paid("2026-11") if entry.slot.meter == "agent_session_minutes"]
    assert [(entry.steps, entry.period) for entry in session] == [(10, "2026-11")]
    draft = await till.draft(at(12, 2))
    [minutes] = [line for line in draft.lines if line.meter == "agent_session_minutes"]
    assert minutes.quantity == "10"
    await till.hear([meeting.agent_left(1_200), meeting.ended(1_200)], at(12, 3))
    assert {entry.version for entry in await till.paid("2026-11")} == {1}
    assert (await till.verify()).ok


async def test_late_evidence_is_a_signed_entry_of_the_open_period_and_changes_no_closed_one(till: Till) -> None:
    start = at(11, 2, 9)
    await till.hear(talk("mtg_1", start, 30), at(11, 2, 10))
    await till.close(at(12, 2))
    [before] = await till.closed()
    invoice = (await till.invoice("2026-11", at(12, 2))).invoice
    await till.hear(late_guest("mtg_1", start, 20), at(12, 5))
    late = [entry for entry in await till.paid("2026-12") if entry.slot.meter == "webrtc_participant_minutes"]
    assert [(entry.slot.of_period, entry.steps, entry.version) for entry in late] == [("2026-11", 20, 1)]
    await till.close(at(1, 2, year=2027))
    assert (await till.closed())[0] == before
    assert (await till.invoice("2026-11", at(1, 2, year=2027))).invoice == invoice
    verified = await till.verify()
    assert verified.ok
    assert [one.period for one in verified.periods] == ["2026-11", "2026-12"]


async def test_use_that_turns_out_to_be_less_is_a_credit_note_of_the_invoice_that_charged_it(till: Till) -> None:
    # 200 people for 15 hours go beyond the 150,000 minutes Ship includes; then an earlier leave of half of them.
    start, people = at(11, 3), 200
    await till.hear(talk("mtg_big", start, 900, people=people), at(11, 4))
    await till.close(at(12, 2))
    charged = (await till.invoice("2026-11", at(12, 2))).invoice
    [connections] = [line for line in charged.lines if line.meter == "webrtc_participant_minutes"]
    assert (connections.quantity, connections.overage, connections.amount) == ("180900", "30900", "15.45")
    room = Meeting("mtg_big", "acme", "RM_mtg_big", start)
    gone = [room.webhook("participant_left", f"PA_mtg_big_{n}", 60 * 60, 1) for n in range(100)]
    late = [one.model_copy(update={"id": f"{one.id}_late"}) for one in gone]
    await till.hear(late, at(12, 5))
    await till.close(at(1, 2, year=2027))
    november = await till.invoice("2026-11", at(1, 2, year=2027))
    assert november.invoice == charged
    [note] = november.credit_notes
    assert (note.kind, note.number, note.corrects) == ("credit_note", "acme.2026-11.credit.2026-12", "acme.2026-11")
    assert (note.period, note.total) == ("2026-12", "-106.17")
    told = {one.meter: (one.quantity, one.amount, one.quality) for one in note.lines}
    # 84,000 minutes less, of which 30,900 had been charged; and what was estimated to have been sent to them.
    assert told == {
        "webrtc_participant_minutes": ("-84000", "-15.45", "measured"),
        "downstream_gb": ("-756", "-90.72", "estimated"),
    }
    december = (await till.invoice("2026-12", at(1, 2, year=2027))).invoice
    assert (december.total, {one.kind for one in december.lines}) == ("50.00", {"base", "usage"})
    for line in note.lines:
        explained = await till.explain(at(1, 2, year=2027), line.line_id, period="2026-11")
        assert {(one.period, one.of_period) for one in explained.entries} == {("2026-12", "2026-11")}
    assert (await till.verify()).ok


async def test_months_without_use_are_closed_too_and_cost_the_base(till: Till) -> None:
    await till.hear(talk("mtg_1", at(11, 2, 9), 10), at(11, 2, 10))
    await till.close(at(2, 2, year=2027))
    assert [one.period.name for one in await till.closed()] == ["2026-11", "2026-12", "2027-01"]
    assert (await till.invoice("2027-01", at(2, 2, year=2027))).invoice.total == "50.00"


async def test_tenants_are_closed_by_themselves(till: Till) -> None:
    await till.hear(talk("mtg_1", at(11, 2, 9), 10), at(11, 2, 10))
    await till.hear(talk("mtg_2", at(12, 2, 9), 10, "globex"), at(12, 2, 10))
    await till.close(at(1, 2, year=2027))
    assert [one.period.name for one in await till.closed()] == ["2026-11", "2026-12"]
    assert [one.period.name for one in await till.closed("globex")] == ["2026-12"]
    assert [share.meeting_id for share in (await till.invoice("2026-12", at(1, 2, year=2027), "globex")).meetings] == [
        "mtg_2"
    ]


async def test_who_came_before_the_agent_is_paid_in_the_period_he_came_in(till: Till) -> None:
    meeting = Meeting(start=at(12, 1, 0, 5))
    early = meeting.webhook("participant_left", "PA_early", 600, -900)
    await till.hear([meeting.started(), early, meeting.agent_left(600), meeting.ended(600)], at(12, 1, 1))
    await till.close(at(1, 2, year=2027))
    assert [one.period.name for one in await till.closed()] == ["2026-11", "2026-12"]
    assert {entry.steps for entry in await till.paid("2026-11") if entry.slot.line_id == "webrtc:PA_early"} == {10}
    assert (await till.verify()).ok


@pytest.mark.parametrize(
    ("name", "why"),
    [("2026-12", "periods are closed one after the other, the next is 2026-11"), ("2026-1", "not a calendar month")],
)
async def test_only_the_next_period_can_be_closed(till: Till, name: str, why: str) -> None:
    await till.hear(talk("mtg_1", at(11, 2, 9), 10), at(11, 2, 10))
    with pytest.raises(ProblemError, match=why) as refused:
        await till.periods.close("acme", name, epoch_ms(at(3, 1, year=2027)))
    assert [error.field for error in refused.value.problem.errors] == ["period"]


async def test_a_period_that_is_not_over_cannot_be_closed(till: Till) -> None:
    await till.hear(talk("mtg_1", at(11, 2, 9), 10), at(11, 2, 10))
    with pytest.raises(ProblemError, match="2026-11 is not over: it ends at 2026-12-01T00:00:00") as refused:
        await till.periods.close("acme", "2026-11", epoch_ms(at(12, 1)) - 1)
    assert refused.value.problem.status == 422
    assert await till.closed() == []
    await till.periods.close("acme", "2026-11", epoch_ms(at(12, 1)))
    assert len(await till.closed()) == 1


async def test_what_is_booked_closed_or_issued_cannot_be_changed(till: Till) -> None:
    await till.hear(talk("mtg_1", at(11, 2, 9), 10), at(11, 2, 10))
    await till.close(at(12, 2))
    columns = {"ledger_entry": "period", "price_version": "book", "period_close": "period", "invoice": "document"}
    for table, column in columns.items():
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {column} = {column}"):
            with pytest.raises(DBAPIError, match=f"{table} is append only"):
                async with till.engine.begin() as connection:
                    await connection.execute(text(statement))


async def test_a_name_that_postgresql_cannot_store_keeps_nothing_from_being_billed(till: Till) -> None:
    meeting = Meeting(start=at(11, 2, 9))
    started, left = meeting.started(), meeting.webhook("participant_left", "PA_anna", 75, 1)
    odd = {**left.data.body, "participant": {"sid": "PA_anna", "identity": "an\x00na", "joinedAtMs": "1793610001000"}}
    left = left.model_copy(update={"data": left.data.model_copy(update={"body": odd})})
    started = started.model_copy(update={"data": started.data.model_copy(update={"room": "plan\x00ning"})})
    await till.hear([started, left, meeting.ended(80)], at(11, 2, 10))
    await till.close(at(12, 2))
    assert {entry.identity for entry in await till.paid("2026-11")} == {"an\N{REPLACEMENT CHARACTER}na"}
    assert (await till.verify()).ok
