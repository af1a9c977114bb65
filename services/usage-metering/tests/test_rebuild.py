"""The check of the books against the evidence finds what was tampered with, on both databases."""

import pytest
from roomscribe_usage_metering.adapters.schema import APPEND_ONLY
from roomscribe_usage_metering.domain.lines import epoch_ms
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
    async with till.engine.begin() as connection:
        await connection.run_sync(_without_triggers)
        assert (await connection.execute(text(tampering))).rowcount
    found = await till.verify()
    assert not found.ok
    assert what in found.broken[0]


async def test_a_forged_entry_is_found(till: Till) -> None:
    await _booked(till)
    async with till.engine.begin() as connection:
        await connection.run_sync(_without_triggers)
        await connection.execute(text("UPDATE ledger_entry SET steps = steps - 1 WHERE seq = 1"))
    broken = [one for one in (await till.verify()).periods if not one.ok]
    assert [(one.period, one.booked == one.closed, one.derived == one.closed) for one in broken] == [
        ("2026-11", False, True)
    ]


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
