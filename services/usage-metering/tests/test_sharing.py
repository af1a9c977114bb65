"""What meetings bear, page by page: worked out once, and all pages of one moment."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain

from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.billing import InvoiceData
from roomscribe_usage_metering.sharing import Recent, Shared
from sqlalchemy import event

from .billing import Till, at, talk

MINUTE_MS = 60_000


async def test_what_every_meeting_bears_is_added_up_once_for_all_pages(till: Till) -> None:
    await till.hear(_many(103), at(11, 2, 10))
    await till.close(at(12, 2))
    sums: list[str] = []

    def noted(_: object, __: object, statement: str, *___: object) -> None:
        if "sum(ledger_entry.steps)" in statement:
            sums.append(statement)

    event.listen(till.engine.sync_engine, "before_cursor_execute", noted)
    first = await till.invoice("2026-11", at(12, 2))
    assert len(sums) == 1
    second = await till.invoice("2026-11", at(12, 2), after=first.next_cursor)
    again = await till.invoice("2026-11", at(12, 5))
    assert (len(sums), len(second.meetings), again) == (1, 3, first)


async def test_pages_of_a_draft_are_of_the_moment_of_the_first(till: Till) -> None:
    await till.hear(_many(101), at(11, 2, 10))
    first = await till.invoice("2026-11", at(11, 2, 10))
    await till.hear(talk("mtg_zz", at(11, 2, 9), 500_000), at(11, 2, 10))
    second = await till.invoice("2026-11", at(11, 2, 10), after=first.next_cursor)
    assert sum(Decimal(one.amount) for one in (*first.meetings, *second.meetings)) == Decimal(first.invoice.total)
    later = await till.invoice("2026-11", at(11, 2, 11), after=first.next_cursor)
    assert later.invoice.total != first.invoice.total
    assert (await till.invoice("2026-11", at(11, 2, 11))).invoice == later.invoice


def test_a_draft_is_remembered_for_its_next_pages_and_for_a_minute() -> None:
    recent, draft = Recent(), _shared(1, None)
    recent.keep("acme", "2026-11", draft)
    assert recent.get("acme", "2026-11", MINUTE_MS - 1, first_page=False) == draft
    assert recent.get("acme", "2026-11", MINUTE_MS, first_page=False) is None
    assert recent.get("acme", "2026-11", 1, first_page=True) is None
    assert recent.get("globex", "2026-11", 1, first_page=False) is None


def test_what_is_remembered_is_bounded_by_its_meetings() -> None:
    recent = Recent(most_meetings=5)
    for tenant, meetings in (("a", 2), ("b", 2), ("c", 1), ("d", 2)):
        recent.keep(tenant, "2026-11", _shared(meetings, f"{tenant}.2026-11"))
    kept = [tenant for tenant in "abcd" if recent.get(tenant, "2026-11", 0, first_page=True)]
    assert kept == ["b", "c", "d"]
    recent.keep("e", "2026-11", _shared(50, "e.2026-11"))
    assert [tenant for tenant in "bcde" if recent.get(tenant, "2026-11", 0, first_page=True)] == ["e"]


def _many(count: int) -> list[AnyEvent]:
    return list(chain.from_iterable(talk(f"mtg_{number:03}", at(11, 2, 9), 5) for number in range(count)))


def _shared(meetings: int, number: str | None) -> Shared:
    begin = datetime(2026, 11, 1, tzinfo=UTC)
    invoice = InvoiceData(
        number=number,
        period="2026-11",
        state="closed" if number else "running",
        starts_at=begin,
        ends_at=begin,
        time_zone="UTC",
        currency="USD",
        plan="livekit-cloud-ship@2026-06-02",
        lines=[],
        total="0.00",
    )
    return Shared(invoice, {}, [f"mtg_{one}" for one in range(meetings)], 0)
