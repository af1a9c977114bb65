"""The ledger's speed on both databases: evidence stored with synced commits, and closed periods derived from it anew.

    python -m benchmarks.ledger URL

checks one database, and prints what that took as JSON; the benchmark does so in a process of its own.
"""

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from itertools import chain, islice

from pydantic import JsonValue
from roomscribe_common.subjects import UNKNOWN
from roomscribe_common.testing.databases import fresh_database
from roomscribe_common.testing.fixtures import LIVEKIT_KEYS
from roomscribe_common.testing.providers import Servers, choose_provider
from roomscribe_usage_metering.accounts import load_accounts
from roomscribe_usage_metering.adapters import database
from roomscribe_usage_metering.adapters.store import EvidenceStore
from roomscribe_usage_metering.adapters.tariffs import Tariffs
from roomscribe_usage_metering.adapters.writer import EvidenceWriter
from roomscribe_usage_metering.closing_periods import PeriodCloser, PeriodTimes
from roomscribe_usage_metering.domain.evidence import (
    AgentSeen,
    AudioDecoded,
    ConnectionSeen,
    MeetingBegan,
    MeetingKey,
    MeetingOver,
    Record,
)
from roomscribe_usage_metering.invoicing import Invoicing
from roomscribe_usage_metering.pricing.books import built_in
from roomscribe_usage_metering.rebuild import verify

from benchmarks.report import CouldNotRun, Findings, Goal

SIZES = (10_000, 100_000, 1_000_000)
INGESTED = 50_000
_AT_ONCE = 400
"""Messages that wait for their commit at the same time, as consumers hold them."""
_FILLED_AT_ONCE = 5_000
_MONTH_MS = 1_793_491_200_000
"""1 November 2026, UTC; meetings are spread over 27 days."""
_CLOSED_MS = _MONTH_MS + 35 * 86_400_000
_VERIFY_S = 600
_BEATS, _FINALS, _PEOPLE = 60, 30, 4


def meeting(number: int) -> Iterator[Record]:
    """A hundred events: four people for a quarter of an hour, an agent's heartbeats, thirty utterances."""
    key, sid = MeetingKey(f"tenant_{number % 3}", f"mtg_{number:07}"), f"RM_{number}"
    start = _MONTH_MS + number * 37_123 % (27 * 86_400_000)
    over = start + 900_000
    yield Record(key.tenant, "room", f"began:{number}", _began(sid, start), key, sid)
    for person in range(_PEOPLE):
        look = ConnectionSeen(
            room_sid=sid,
            participant_sid=f"PA_{number}_{person}",
            identity=f"person-{person}",
            participant_kind="STANDARD",
            joined_ms=start + person * 1_000,
        )
        for name, seen in (("joined", {"seen_ms": start}), ("left", {"left_ms": over})):
            yield Record(UNKNOWN, "livekit", f"{name}:{look.participant_sid}", look.model_copy(update=seen), None, sid)
    for seq in range(_BEATS):
        yield Record(key.tenant, "room", f"beat:{number}:{seq}", _beat(number, start, seq), key, sid)
    for n in range(_FINALS):
        yield Record(key.tenant, "stt", f"final:{number}:{n}", _final(number, start, n), key)
    yield Record(key.tenant, "dispatcher", f"ended:{number}", MeetingOver(room="planning", ended_ms=over), key)


def _began(sid: str, start: int) -> MeetingBegan:
    return MeetingBegan(room="planning", room_sid=sid, joined_ms=start)


def _beat(number: int, start: int, seq: int) -> AgentSeen:
    return AgentSeen(
        room="planning",
        room_sid=f"RM_{number}",
        participant_sid=f"PA_agent_{number}",
        identity="roomscribe",
        job_id=f"job_{number}",
        epoch=1,
        joined_ms=start,
        uptime_ms=seq * 15_000,
        left=seq == _BEATS - 1,
    )


def _final(number: int, start: int, n: int) -> AudioDecoded:
    at = start + n * 29_000
    return AudioDecoded(
        room="planning",
        utterance_id=f"utt_{number}_{n}",
        track_id=f"TR_{number}_{n % _PEOPLE}",
        identity=f"person-{n % _PEOPLE}",
        provider="moonshine",
        model="tiny",
        audio_ms=3_500,
        start_ms=at,
        end_ms=at + 3_500,
        epoch=1,
    )


def _events(count: int) -> Iterator[Record]:
    return islice(chain.from_iterable(map(meeting, range(count))), count)


async def ingest(url: str, count: int) -> float:
    """Events a second through the service's own writer: what waits together is one commit, on disk before it counts."""
    engine = database.open_engine(url, 60)
    await database.create_tables(engine)
    writer = EvidenceWriter(EvidenceStore(engine, 0), 60)
    running, events = asyncio.create_task(writer.run()), _events(count)

    async def consume() -> None:
        for record in events:
            await writer.add(record)

    began = time.monotonic()
    await asyncio.gather(*(consume() for _ in range(_AT_ONCE)))
    took = time.monotonic() - began
    running.cancel()
    await asyncio.wait([running])
    await engine.dispose()
    return count / took


async def fill(url: str, count: int) -> float:
    """Stores a month of events, closes it, and returns how many seconds the closing took."""
    engine = database.open_engine(url, 60)
    await database.create_tables(engine)
    store, events = EvidenceStore(engine, 0), _events(count)
    while part := list(islice(events, _FILLED_AT_ONCE)):
        await store.add(part, _CLOSED_MS)
    tariffs = _tariffs()
    closer = PeriodCloser(engine, tariffs, Invoicing(engine, tariffs), "bench", PeriodTimes(1, 86_400))
    began = time.monotonic()
    await closer.close_due(_CLOSED_MS)
    took = time.monotonic() - began
    await engine.dispose()
    return took


def _tariffs() -> Tariffs:
    return Tariffs(load_accounts(None, built_in(), "livekit-cloud-ship"), built_in())


async def rebuild(url: str) -> dict[str, JsonValue]:
    """Checks every chain and derives every closed period anew, in this process."""
    engine = database.open_engine(url, 60)
    began, cpu = time.monotonic(), time.process_time()
    found = await verify(engine, _tariffs())
    await engine.dispose()
    return {
        "ok": found.ok,
        "events": found.events,
        "periods": len(found.periods),
        "wall_s": round(time.monotonic() - began, 2),
        "cpu_s": round(time.process_time() - cpu, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1),
    }


def _rebuilt(url: str) -> dict[str, JsonValue]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.ledger", url], capture_output=True, text=True, timeout=_VERIFY_S
    )
    if done.returncode:
        raise CouldNotRun(f"the check of {url} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)


async def _on(kind: str, server: str, sizes: tuple[int, ...], ingested: int) -> dict[str, JsonValue]:
    figures: dict[str, JsonValue] = {}
    async with _database(kind, server) as url:
        figures["events_per_s"] = round(await ingest(url, ingested))
    for size in sizes:
        async with _database(kind, server) as url:
            closing_s = await fill(url, size)
            rebuilt = await asyncio.to_thread(_rebuilt, url)
            if not rebuilt["ok"] or rebuilt["events"] != size:
                raise CouldNotRun(f"{kind}: the books of {size} events are not what their evidence says")
            figures[f"{size}"] = {**rebuilt, "close_s": round(closing_s, 1)}
    return figures


@asynccontextmanager
async def _database(kind: str, server: str) -> AsyncGenerator[str]:
    if kind == "postgresql":
        async with fresh_database(server) as url:
            yield url
        return
    with tempfile.TemporaryDirectory(prefix="roomscribe-ledger-") as folder:
        yield f"sqlite+aiosqlite:///{folder}/usage.db"


def measure(quick: bool) -> Findings:
    """Ingest, closing and checking on SQLite and PostgreSQL."""
    sizes, ingested = (SIZES[:1], 2_000) if quick else (SIZES, INGESTED)
    servers = Servers(choose_provider(), LIVEKIT_KEYS)
    try:
        postgres = servers["postgres"].url
        found = {kind: asyncio.run(_on(kind, postgres, sizes, ingested)) for kind in ("sqlite", "postgresql")}
    finally:
        servers.close()
    goals = [goal for kind, figures in found.items() for goal in _goals(kind, figures, sizes)]
    return Findings(goals=goals, figures=dict(found))


def _goals(kind: str, figures: dict[str, JsonValue], sizes: tuple[int, ...]) -> Iterator[Goal]:
    def figure(size: int, name: str) -> float:
        of_size = figures[f"{size}"]
        assert isinstance(of_size, dict)
        value = of_size[name]
        assert isinstance(value, int | float)
        return value

    rate, largest = figures["events_per_s"], sizes[-1]
    assert isinstance(rate, int)
    yield Goal(what=f"{kind}: events stored", unit="/s", value=rate, limit=2_000, wanted="at least")
    limits = (("wall_s", "s", 60 * largest / SIZES[-1]), ("peak_mb", "MB", 1_000))
    for name, unit, limit in limits:
        what = f"{kind}: rebuild of {largest:,} events, {name.partition('_')[0]}"
        yield Goal(what=what, unit=unit, value=figure(largest, name), limit=limit)
    if len(sizes) > 1:
        each = [figure(size, "cpu_s") / size for size in sizes[-2:]]
        what = f"{kind}: CPU for each event of {sizes[-1]:,} to that of {sizes[-2]:,}"
        yield Goal(what=what, unit="×", value=round(each[1] / each[0], 2), limit=1.25)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(rebuild(sys.argv[1]))))
