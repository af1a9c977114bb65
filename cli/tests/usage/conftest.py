"""The database of a stack that nothing runs on, with a closed period."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from roomscribe_usage_metering.accounts import load_accounts
from roomscribe_usage_metering.adapters.database import create_tables, open_engine
from roomscribe_usage_metering.adapters.store import EvidenceStore
from roomscribe_usage_metering.adapters.tariffs import Tariffs
from roomscribe_usage_metering.closing_periods import PeriodCloser, PeriodTimes
from roomscribe_usage_metering.domain.evidence import AgentSeen, MeetingBegan, MeetingKey, MeetingOver, Record
from roomscribe_usage_metering.domain.lines import epoch_ms
from roomscribe_usage_metering.invoicing import Invoicing
from roomscribe_usage_metering.pricing.books import built_in

_BEGAN_MS = epoch_ms(datetime(2026, 10, 5, 9, tzinfo=UTC))
_CLOSED_MS = epoch_ms(datetime(2026, 11, 2, tzinfo=UTC))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The folder of a stack whose October is closed: one agent, ten minutes."""
    asyncio.run(_fill(f"sqlite+aiosqlite:///{tmp_path}/usage.db"))
    return tmp_path


async def _fill(url: str) -> None:
    engine, tariffs = open_engine(url, 10), Tariffs(load_accounts(None, built_in(), "livekit-cloud-ship"), built_in())
    key, room, ended_ms = MeetingKey("acme", "mtg_1"), "planning", _BEGAN_MS + 600_000
    seen = AgentSeen(
        room=room,
        room_sid="RM_1",
        participant_sid="PA_1",
        identity="agent",
        job_id="mtg_1:1",
        epoch=1,
        joined_ms=_BEGAN_MS,
        uptime_ms=600_000,
        left=True,
    )
    facts = [
        Record("acme", "test", "1", MeetingBegan(room=room, room_sid="RM_1", joined_ms=_BEGAN_MS), key, "RM_1"),
        Record("acme", "test", "2", seen, key, "RM_1"),
        Record("acme", "test", "3", MeetingOver(room=room, ended_ms=ended_ms), key),
    ]
    try:
        await create_tables(engine)
        await EvidenceStore(engine, 0).add(facts, ended_ms)
        closer = PeriodCloser(engine, tariffs, Invoicing(engine, tariffs), "test", PeriodTimes(1, 0))
        await closer.close_due(_CLOSED_MS)
    finally:
        await engine.dispose()
