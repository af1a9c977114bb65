"""The check of the books against the evidence finds what was tampered with, on both databases."""

from pathlib import Path

import pytest
from roomscribe_usage_metering.accounts import load_accounts
from roomscribe_usage_metering.adapters.schema import APPEND_ONLY
from roomscribe_usage_metering.adapters.tariffs import Tariffs
from roomscribe_usage_metering.domain.lines import epoch_ms
from roomscribe_usage_metering.rebuild import verify
from sqlalchemy import Connection, text

from .billing import Till, at, late_guest, talk
from .events import Meeting
from .records import record


async def _booked(till: Till) -> None:
    await till.hear(talk("mtg_1", at(11, 2, 9), 30), at(11, 2, 10))
    await till.hear(talk("mtg_2", at(11, 30, 23, 50), 30, people=2), at(12, 1, 1))
    await till.close(at(12, 2))
    await till.hear(late_guest("mtg_1", at(11, 2, 9), 20), at(12, 5))
    await till.close(at(1, 2, year=2027))


async def test_what_nobody_touched_is_found_to_be_right(till: Till) -> None:
    await _booked(till)
    found = await till.verify()
    assert found.ok
    assert [(one.tenant, one.period, one.ok) for one in found.periods] == [
        ("acme", "2026-11", True),
        ("acme", "2026-12", True),
    ]
    # Two tenants, ours and the SFU's own, in two months.
    assert (found.events, found.meetings, found.chains) == (14, 2, 4)


async def test_evidence_after_the_last_close_counts_for_no_closed_period(till: Till) -> None:
    await _booked(till)
    await till.hear(late_guest("mtg_2", at(11, 30, 23, 50), 25), at(1, 5, year=2027))
    assert (await till.verify()).ok


@pytest.mark.parametrize(
    ("tampering", "where"),
    [
        ("UPDATE usage_evidence SET fact = replace(fact, '1800000', '600000') WHERE id = 'agent_left:mtg_1'", "link"),
        ("UPDATE usage_evidence SET stored_ms = stored_ms + 1 WHERE id = 'started:mtg_1'", "link"),
        ("UPDATE usage_evidence SET room_sid = 'RM_other' WHERE id = 'started:mtg_1'", "link"),
        ("DELETE FROM usage_evidence WHERE id = 'agent_joined:mtg_1'", "link"),
        ("DELETE FROM usage_evidence WHERE seq = (SELECT max(seq) FROM usage_evidence WHERE tenant = 'acme')", "end"),
    ],
)
async def test_changed_evidence_breaks_its_chain(till: Till, tampering: str, where: str) -> None:
    await _booked(till)
    async with till.engine.begin() as connection:
        assert (await connection.execute(text(tampering))).rowcount == 1
    found = await till.verify()
    assert not found.ok
    assert len(found.broken) == 1
    assert where in found.broken[0]


async def test_a_rewritten_chain_is_found_by_the_digest_of_the_period(till: Till) -> None:
    await _booked(till)
    shorter = "UPDATE usage_evidence SET fact = replace(fact, '1800000', '600000') WHERE id = 'agent_left:mtg_1'"
    async with till.engine.begin() as connection:
        await connection.execute(text(shorter))
    periods = {one.period: one for one in (await till.verify()).periods}
    assert not periods["2026-11"].ok
    assert periods["2026-11"].closed == periods["2026-11"].booked != periods["2026-11"].derived


@pytest.mark.parametrize(
    ("tampering", "what"),
    [
        ('UPDATE invoice SET document = replace(document, \'"total":"50\', \'"total":"5\')', "not what its entries"),
        ("DELETE FROM invoice WHERE number = 'acme.2026-11'", "acme.2026-11 is missing"),
    ],
)
async def test_a_forged_invoice_is_found(till: Till, tampering: str, what: str) -> None:
    await _booked(till)
    await _tamper(till, tampering)
    found = await till.verify()
    assert not found.ok
    assert what in found.wrong[0]


async def test_a_forged_entry_is_found(till: Till) -> None:
    await _booked(till)
    await _tamper(till, "UPDATE ledger_entry SET steps = steps - 1 WHERE meter LIKE 'agent%' AND meeting_id = 'mtg_1'")
    [broken] = [one for one in (await till.verify()).periods if not one.ok]
    assert (broken.period, broken.booked == broken.closed, broken.derived == broken.closed) == ("2026-11", False, True)
    assert broken.differ == [
        "agent:job_mtg_1:PA_agent_mtg_1 of mtg_1 (agent_session_minutes of 2026-11): "
        "entries have 29 steps of 1800000, evidence gives 30 of 1800000"
    ]


@pytest.mark.parametrize(
    ("deleted", "named"),
    [
        ("DELETE FROM period_close WHERE period = '2026-11'", "no close of 2026-11, which has entries and is before"),
        ("DELETE FROM period_close WHERE period = '2026-12'", "no close of 2026-12, of which invoice acme.2026-12 was"),
        ("DELETE FROM period_close WHERE period = '2026-12'", "acme has 2 closed periods, and 3 were made"),
        ("DELETE FROM period_close WHERE period = '2026-12'", "no close between 2026-11 and 2027-01"),
    ],
)
async def test_a_close_that_was_taken_out_is_named(till: Till, deleted: str, named: str) -> None:
    await _booked(till)
    await till.close(at(2, 2, year=2027))
    await _tamper(till, deleted)
    found = await till.verify()
    assert not found.ok
    assert [one for one in found.wrong if named in one], found.wrong


async def test_the_last_close_taken_out_with_its_documents_is_named(till: Till) -> None:
    await _booked(till)
    await till.hear(late_guest("mtg_1", at(11, 2, 9), 25, "PA_later"), at(1, 5, year=2027))
    await _tamper(till, "DELETE FROM period_close", "DELETE FROM invoice")
    found = await till.verify()
    assert "acme has 0 closed periods, and 2 were made" in found.wrong
    assert "acme has no close of 2026-11, which entries of 2026-12 correct" in found.wrong


async def test_a_peak_that_is_forged_in_entries_and_invoice_is_named(till: Till) -> None:
    await _booked(till)
    later = "replace(replace(document, '09:00:00', '09:01:00'), '23:50:00', '23:51:00')"
    await _tamper(
        till,
        "UPDATE ledger_entry SET start_ms = start_ms + 60000 WHERE period = '2026-11'",
        f"UPDATE invoice SET document = {later} WHERE number = 'acme.2026-11'",
    )
    assert (await till.verify()).wrong == ["acme.2026-11 does not have the peaks that evidence gives"]


async def test_an_entry_taken_out_of_an_open_period_is_named(till: Till) -> None:
    await till.hear(talk("mtg_1", at(11, 2, 9), 30), at(11, 2, 10))
    before = await till.verify()
    assert (before.ok, before.left_out) == (True, [])
    assert [(one.period, one.closed) for one in before.periods] == [("2026-11", "")]
    await _tamper(till, "DELETE FROM ledger_entry WHERE line_id = 'webrtc:PA_mtg_1_0'")
    found = await till.verify()
    assert found.wrong == ["acme has 4 entries, and 5 were made"]
    [period] = [one for one in found.periods if not one.ok]
    assert period.differ == [
        "webrtc:PA_mtg_1_0 of mtg_1 (webrtc_participant_minutes of 2026-11): "
        "entries have 0 steps of 0, evidence gives 30 of 1800000"
    ]


async def test_a_correction_taken_out_of_the_open_period_is_named(till: Till) -> None:
    await _booked(till)
    await till.hear(late_guest("mtg_2", at(11, 30, 23, 50), 25), at(1, 5, year=2027))
    await _tamper(till, "DELETE FROM ledger_entry WHERE period = '2027-01'")
    broken = {one.period: one.differ for one in (await till.verify()).periods if not one.ok}
    assert list(broken) == ["2027-01"]
    assert [line.partition(": entries")[0] for line in broken["2027-01"]] == [
        f"{line}:PA_late of mtg_2 ({meter} of {month})"
        for line, meter in (("downstream", "downstream_gb"), ("webrtc", "webrtc_participant_minutes"))
        for month in ("2026-11", "2026-12")
    ]


async def test_a_meeting_that_runs_is_left_out_and_counted(till: Till) -> None:
    await _booked(till)
    running = Meeting("mtg_3", "acme", "RM_3", at(1, 5, 9, year=2027))
    await till.hear([running.started(), running.agent_joined(), running.heartbeat(4)], at(1, 5, 9, 1, year=2027))
    found = await till.verify()
    assert found.ok
    assert found.left_out == ["1 meetings of acme: new evidence of them is not booked yet"]
    # One that was booked, and of which more came to light a moment ago.
    await till.hear(talk("mtg_4", at(1, 5, 9, year=2027), 30), at(1, 5, 10, year=2027))
    late = [record(event) for event in late_guest("mtg_4", at(1, 5, 9, year=2027), 25)]
    await till.store.add(late, epoch_ms(at(1, 5, 11, year=2027)))
    found = await till.verify()
    assert (found.ok, found.left_out[0][:10]) == (True, "2 meetings")


async def test_open_periods_are_compared_on_the_terms_they_were_booked_on_or_not_at_all(
    till: Till, tmp_path: Path
) -> None:
    await till.hear(talk("mtg_1", at(11, 2, 9), 30), at(11, 2, 10))
    file = tmp_path / "accounts.json"
    file.write_text('{"default": {"time_zone": "Asia/Tokyo"}}', "utf-8")
    elsewhere = Tariffs(load_accounts(file, till.books, "livekit-cloud-ship"), till.books)
    found = await verify(till.engine, elsewhere)
    assert (found.ok, found.periods) == (True, [])
    assert found.left_out == ["open periods of acme: they are booked on other terms than its account has here"]


async def _tamper(till: Till, *statements: str) -> None:
    async with till.engine.begin() as connection:
        await connection.run_sync(_without_triggers)
        for one in statements:
            assert (await connection.execute(text(one))).rowcount


def _without_triggers(connection: Connection) -> None:
    for one in APPEND_ONLY:
        if connection.dialect.name == "sqlite":
            for what in ("update", "delete"):
                connection.exec_driver_sql(f"DROP TRIGGER {one.name}_no_{what}")
        else:
            connection.exec_driver_sql(f"DROP TRIGGER {one.name}_append_only ON {one.name}")


async def test_a_claim_on_a_room_that_came_late_moves_no_closed_period(till: Till) -> None:
    # Anna came at 9:30 into a room where acme's meeting had begun at 9:00; that globex's had, at 9:20, is heard late.
    ours = Meeting("mtg_1", "acme", "RM_1", at(11, 2, 9))
    theirs = Meeting("mtg_2", "globex", "RM_1", at(11, 2, 9, 20))
    anna = ours.webhook("participant_left", "PA_anna", 3_600, 1_800)
    await till.hear([ours.started(), anna, ours.agent_left(3_600), ours.ended(3_600)], at(11, 2, 11))
    await till.close(at(12, 2))
    await till.hear([theirs.started(), theirs.agent_left(600), theirs.ended(2_400)], at(12, 5))
    await till.close(at(1, 2, year=2027))
    steps = {
        (tenant, entry.period): entry.steps
        for tenant in ("acme", "globex")
        for period in ("2026-11", "2026-12")
        for entry in await till.paid(period, tenant)
        if entry.slot.line_id == "webrtc:PA_anna"
    }
    assert steps == {("acme", "2026-11"): 30, ("acme", "2026-12"): -30, ("globex", "2026-11"): 30}
    assert (await till.verify()).ok


async def test_batches_that_overlap_leave_chains_without_a_break(till: Till) -> None:
    records = [record(event) for event in talk("mtg_1", at(11, 2, 9), 30, people=3)]
    for start in range(len(records) - 2):
        await till.store.add(records[start : start + 3] * 2, epoch_ms(at(11, 2, 10)))
    found = await till.verify()
    assert found.ok
    assert (found.events, found.chains) == (len(records), 2)
