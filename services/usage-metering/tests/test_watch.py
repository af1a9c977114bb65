"""What somebody is told of before the bill comes: each thing once, whoever looks and however often."""

import asyncio
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.metrics import NoOpMeter
from roomscribe_common.subjects import UNKNOWN
from roomscribe_usage_metering.accounts import load_accounts
from roomscribe_usage_metering.adapters.entries import append
from roomscribe_usage_metering.adapters.outbox import Outbox, Waiting
from roomscribe_usage_metering.alerts.anomalies import Limits
from roomscribe_usage_metering.alerts.drift import DriftLook, NodeUnavailable, ReadNode
from roomscribe_usage_metering.alerts.meetings import Meetings
from roomscribe_usage_metering.alerts.tenants import Tenants
from roomscribe_usage_metering.alerts.watch import Look, Watch
from roomscribe_usage_metering.domain.entry import Entry, Slot
from roomscribe_usage_metering.domain.evidence import ConnectionSeen, Record, RoomPolled
from roomscribe_usage_metering.domain.lines import epoch_ms
from roomscribe_usage_metering.forecasting import Forecasts
from roomscribe_usage_metering.pricing.books import built_in
from sqlalchemy.ext.asyncio import AsyncEngine

from .billing import Till, at, talk
from .events import Meeting

NOW = at(11, 15)
GRACE_S = 86_400.0
FORECAST = ("forecast:50", "forecast:80", "forecast:100")


@pytest.fixture
def till(engine: AsyncEngine, tmp_path: Path) -> Till:
    account = {
        "charges": {"webrtc_participant_minutes": {"unit_price": "1"}},
        "budgets": [{"name": "cloud", "amount": "200"}],
        "quotas": [{"meter": "webrtc_participant_minutes", "limit": "100"}],
    }
    file = tmp_path / "accounts.json"
    file.write_text(json.dumps({"tenants": {"acme": account, "corp": account}}))
    return Till(engine, load_accounts(file, built_in(), "livekit-cloud-ship"), built_in())


def tenants(till: Till) -> Look:
    forecasts = Forecasts(till.engine, till.tariffs, till.invoicing)
    return Tenants(till.engine, till.tariffs, forecasts).look


def drift(till: Till, **nodes: ReadNode) -> Look:
    return DriftLook(till.engine, nodes, GRACE_S, NoOpMeter("test")).look


def meetings(till: Till) -> Look:
    return Meetings(till.engine, till.tariffs, Limits()).look


async def looked(till: Till, now: datetime, *looks: Look) -> list[Waiting]:
    """All that was ever told, after a further look."""
    outbox = Outbox(till.engine)
    for look in looks:
        await Watch(outbox, [look], 60).once(look, epoch_ms(now))
    return [one for one in await outbox.after(0, 1_000) if one.kind.startswith("billing.v1.")]


def ids(told: list[Waiting]) -> list[str]:
    return [one.key for one in told]


def data(told: Waiting) -> dict[str, Any]:
    return json.loads(told.payload)["data"]


async def test_budgets_and_quotas_are_told_once_each_in_a_period(till: Till) -> None:
    look = tenants(till)
    await till.hear(talk("mtg_1", at(11, 14, 9), 30), NOW)
    first = await looked(till, NOW, look)
    # $60 for connections and Ship's $50: half of the budget; the rest of the month at this rate will exceed it.
    assert ids(first) == [f"budget:acme:2026-11:cloud:{one}" for one in ("actual:50", *FORECAST)]
    await till.hear(talk("mtg_2", at(11, 14, 12), 22), NOW)
    again = await looked(till, NOW, look, look, tenants(till))
    assert ids(again)[: len(first)] == ids(first)
    assert sorted(ids(again)[len(first) :]) == [
        "quota:acme:2026-11:webrtc_participant_minutes:100",
        "quota:acme:2026-11:webrtc_participant_minutes:80",
    ]
    assert len(ids(again)) == len(set(ids(again)))


async def test_in_the_next_period_budgets_begin_anew(till: Till) -> None:
    await till.hear(talk("mtg_1", at(11, 14, 9), 60), NOW)
    await looked(till, NOW, tenants(till))
    await till.hear(talk("mtg_2", at(12, 14, 9), 60), at(12, 15))
    told = ids(await looked(till, at(12, 15), tenants(till)))
    assert {"budget:acme:2026-11:cloud:actual:80", "budget:acme:2026-12:cloud:actual:80"} <= set(told)


async def test_two_replicas_that_look_at_once_tell_once(till: Till) -> None:
    await till.hear(talk("mtg_1", at(11, 14, 9), 60), NOW)
    await asyncio.gather(*(looked(till, NOW, tenants(till)) for _ in range(2)))
    told = ids(await looked(till, NOW))
    assert len(told) == len(set(told)) > 0


async def test_a_tenant_without_budgets_is_told_nothing(till: Till) -> None:
    await till.hear(talk("mtg_1", at(11, 14, 9), 600, "bolt"), NOW)
    assert await looked(till, NOW, tenants(till)) == []


async def test_an_agent_left_alone_is_told_of_while_the_meeting_runs_and_not_again_when_it_ends(till: Till) -> None:
    meeting = Meeting("mtg_1", "acme", "RM_1", at(11, 14, 9))
    joined = meeting.webhook("participant_joined", meeting.agent_sid, 0, 0, "AGENT")
    await till.hear([meeting.started(), meeting.agent_joined(), joined, meeting.heartbeat(80)], at(11, 14, 9, 20))
    look = meetings(till)
    [told] = await looked(till, at(11, 14, 9, 20), look)
    assert told.key == "anomaly:acme:mtg_1:agent_alone"
    assert (data(told)["period"], data(told)["meeting_id"]) == ("2026-11", "mtg_1")
    await till.hear([meeting.agent_left(3_600), meeting.ended(3_600)], at(11, 14, 11))
    assert ids(await looked(till, at(11, 14, 11), look, meetings(till))) == [told.key]


def polls(meeting: Meeting, sids: dict[str, str], until_s: int) -> list[Record]:
    """A poll every 30 s that sees everybody."""
    found: list[Record] = []
    for second in range(15, until_s, 30):
        at_ms = epoch_ms(meeting.start) + second * 1_000
        seen = tuple(
            ConnectionSeen(
                room_sid=meeting.sid,
                participant_sid=sid,
                identity=sid,
                participant_kind=kind,
                joined_ms=epoch_ms(meeting.start),
                seen_ms=at_ms,
            )
            for sid, kind in sids.items()
        )
        fact = RoomPolled(room_sid=meeting.sid, at_ms=at_ms, present=seen)
        found.append(Record(UNKNOWN, "test", f"poll:{meeting.sid}:{at_ms}", fact, None, meeting.sid))
    return found


async def hold(till: Till, sids: dict[str, str], without: set[str]) -> None:
    """Two hours of an agent and a person; webhooks of some were lost."""
    meeting, seconds = Meeting("mtg_1", "acme", "RM_1", at(11, 14, 9)), 7_200
    await till.store.add(polls(meeting, sids, seconds), epoch_ms(NOW))
    told = [
        meeting.webhook("participant_left", sid, seconds, 0, kind) for sid, kind in sids.items() if sid not in without
    ]
    life = [meeting.started(), meeting.agent_joined(), meeting.heartbeat(480), meeting.agent_left(seconds)]
    await till.hear([*life, *told, meeting.room_finished(seconds), meeting.ended(seconds)], NOW)


async def test_webhooks_that_were_lost_are_told_as_drift_from_the_polls_once(till: Till) -> None:
    sids = {"PA_agent_mtg_1": "AGENT", "PA_anna": "STANDARD"}
    await hold(till, sids, without={"PA_anna"})
    look = meetings(till)
    [told] = await looked(till, NOW, look, drift(till), look, drift(till))
    assert told.key == "drift:acme:2026-11:webhook_poll"
    assert (data(told)["left"], data(told)["right"], data(told)["drift_percent"]) == ("240", "480", "50")


async def test_sources_that_agree_are_no_drift(till: Till) -> None:
    await hold(till, {"PA_agent_mtg_1": "AGENT", "PA_anna": "STANDARD"}, without=set())
    assert await looked(till, NOW, meetings(till), drift(till)) == []


async def test_an_agent_that_the_sfu_kept_long_after_its_death_is_drift(till: Till) -> None:
    meeting = Meeting("mtg_1", "acme", "RM_1", at(11, 14, 9))
    left = meeting.webhook("participant_left", meeting.agent_sid, 4_000, 0, "AGENT")
    person = meeting.webhook("participant_left", "PA_anna", 4_000)
    await till.hear([meeting.started(), meeting.agent_joined(), meeting.heartbeat(250), left, person], NOW)
    await till.hear([meeting.ended(4_000)], NOW)
    [told] = await looked(till, NOW, meetings(till), drift(till))
    assert told.key == "drift:acme:2026-11:agent_sfu"
    assert (data(told)["left"], data(told)["right"], data(told)["unit"]) == ("3750000", "4000000", "ms")


class Node:
    """A node's counter; it begins at 0 whenever the node is started."""

    def __init__(self, sent: int) -> None:
        self.sent = sent

    async def read(self) -> int:
        if self.sent < 0:
            raise NodeUnavailable("away")
        return self.sent


async def book(till: Till, gigabytes: int) -> None:
    slot = Slot("acme", "mtg_1", "downstream:PA_1", "downstream_gb", "2026-11", "livekit-cloud-ship@2026-06")
    entry = Entry(slot, 1, "2026-11", gigabytes * 100, gigabytes * 10**9, "", "estimated", "bitrate")
    async with till.engine.begin() as connection:
        await connection.run_sync(append, [entry], epoch_ms(NOW))


async def watch_november(till: Till, node: Node, *readings: int) -> list[Waiting]:
    """Read once before the month, as often as said in it, and once after its grace."""
    times = [at(10, 31, 23) + timedelta(hours=2 * n) for n in range(len(readings) - 1)]
    for reading, when in zip(readings, times, strict=False):
        node.sent = reading
        await looked(till, when, drift(till, node_a=node.read))
    node.sent = readings[-1]
    return await looked(till, at(12, 2, 1), drift(till, node_a=node.read))


async def test_the_ledgers_bytes_are_compared_with_the_nodes_for_the_whole_month_across_restarts(till: Till) -> None:
    await book(till, 100)
    # Baseline 5 GB; then 65 GB more, an outage, and 30 GB since a restart: 95 GB were sent.
    [told] = await watch_november(till, Node(0), 5 * 10**9, 70 * 10**9, -1, 30 * 10**9, 30 * 10**9)
    assert told.key == "drift:_:2026-11:ledger_node"
    assert (data(told)["left"], data(told)["right"]) == (str(100 * 10**9), str(95 * 10**9))
    assert data(told)["drift_percent"] == "5"


async def test_a_node_that_agrees_to_half_a_percent_is_no_drift(till: Till) -> None:
    await book(till, 100)
    assert await watch_november(till, Node(0), 0, 99_500_000_000, 99_500_000_000) == []


async def test_a_month_that_a_node_was_watched_only_in_part_of_is_not_compared(till: Till) -> None:
    await book(till, 100)
    node = Node(5)
    assert await looked(till, at(11, 20), drift(till, node_a=node.read)) == []
    assert await looked(till, at(12, 2, 1), drift(till, node_a=node.read)) == []


async def test_what_goes_wrong_with_one_tenant_leaves_the_others_told(till: Till) -> None:
    await till.hear([*talk("mtg_1", at(11, 14, 9), 60), *talk("mtg_2", at(11, 14, 9), 60, "corp")], NOW)
    slot = Slot("acme", "mtg_9", "webrtc:PA_9", "webrtc_participant_minutes", "2026-11", "no-book@1")
    entry = Entry(slot, 1, "2026-11", 1, 60_000, "", "measured", "left")
    async with till.engine.begin() as connection:
        await connection.run_sync(append, [entry], epoch_ms(NOW))
    assert {one.tenant for one in await looked(till, NOW, tenants(till))} == {"corp"}
