"""Signed webhooks: what the specification asks of a sender, and what a receiver may do."""

import base64
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import aiohttp
import pytest
from opentelemetry.metrics import NoOpMeter
from roomscribe_common.contracts.billing import QuotaReached, QuotaReachedData
from roomscribe_common.subjects import subject_of
from roomscribe_usage_metering.adapters.outbox import Outbox
from roomscribe_usage_metering.exports.cursors import Cursors
from roomscribe_usage_metering.exports.feeds import EventFeed
from roomscribe_usage_metering.exports.sender import Sender, Tools, posting
from roomscribe_usage_metering.exports.sending import Answer, Request
from roomscribe_usage_metering.exports.webhooks import BadSecret, SignedWebhook, Told
from sqlalchemy.ext.asyncio import AsyncEngine

from . import strict
from .serving import Served, served

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
DAY_MS = 86_400_000


def event(percent: int, tenant: str = "acme") -> QuotaReached:
    data = QuotaReachedData(
        period="2026-11",
        meter="downstream_gb",
        limit="50",
        threshold_percent=percent,
        used="40.5",
        resets_at=datetime(2026, 12, 1, tzinfo=UTC),
    )
    return QuotaReached.new(
        id=f"quota:{tenant}:2026-11:downstream_gb:{percent}",
        source="test",
        subject=subject_of(QuotaReached, tenant, "2026-11"),
        tenant=tenant,
        data=data,
    )


@pytest.fixture
async def server() -> AsyncIterator[Served]:
    async with served(strict.Webhooks(SECRET)) as server:
        yield server


def webhook(url: str, tenant: str = "acme") -> SignedWebhook:
    return SignedWebhook.of(tenant, url, SECRET, tenant.__eq__)


async def run(engine: AsyncEngine, target: SignedWebhook, session: aiohttp.ClientSession, turns: int) -> float | None:
    tools = Tools(Cursors(engine, "r", 60_000), posting(session, 10), NoOpMeter("test"))
    sender = Sender(target, EventFeed(Outbox(engine)), tools)
    return [await sender.turn() for _ in range(turns)][-1]


async def test_an_event_arrives_signed_and_once_though_its_answer_was_lost(engine: AsyncEngine, server: Served) -> None:
    async with aiohttp.ClientSession() as session:
        target = webhook(server.url + "/hook")
        await run(engine, target, session, 1)
        for one in (event(80), event(100), event(80, "bolt")):
            await Outbox(engine).put(one, now_ms())
        server.troubles = ["broken", "cut", None, "busy"]
        await run(engine, target, session, 6)
    assert isinstance(server.receiver, strict.Webhooks)
    told = list(server.receiver.stored.values())
    assert [one["data"]["threshold_percent"] for one in told] == [80, 100]
    assert {one["type"] for one in told} == {"billing.v1.quota_reached"}
    assert server.receiver.again == 1


async def test_what_was_told_before_an_address_was_known_is_not_posted(engine: AsyncEngine, server: Served) -> None:
    await Outbox(engine).put(event(80), now_ms())
    async with aiohttp.ClientSession() as session:
        await run(engine, webhook(server.url), session, 3)
    assert server.asked == 0


async def test_an_address_that_is_gone_is_asked_no_more(engine: AsyncEngine, server: Served) -> None:
    assert isinstance(server.receiver, strict.Webhooks)
    server.receiver.gone = True
    async with aiohttp.ClientSession() as session:
        target = webhook(server.url)
        await run(engine, target, session, 1)
        await Outbox(engine).put(event(80), now_ms())
        assert await run(engine, target, session, 1) is None
    assert server.asked == 1


async def test_an_event_is_given_up_after_three_days_and_the_next_one_sent(engine: AsyncEngine) -> None:
    taken: list[bytes] = []

    async def post(request: Request) -> Answer:
        taken.append(request.body)
        return Answer(500 if b'"threshold_percent":80' in request.body else 204, {}, b"")

    target, now = webhook("http://receiver"), now_ms()
    clock = [now]
    tools = Tools(Cursors(engine, "r", 60_000), post, NoOpMeter("test"), lambda: clock[0])
    sender = Sender(target, EventFeed(Outbox(engine)), tools)
    await sender.turn()
    for one in (event(80), event(100)):
        await Outbox(engine).put(one, now)
    await sender.turn()
    clock[0] = now + 3 * DAY_MS - 1_000
    await sender.turn()
    assert not any(b'"threshold_percent":100' in body for body in taken)
    clock[0] = now + 3 * DAY_MS
    await sender.turn()
    assert b'"threshold_percent":100' in taken[-1]


def test_a_signature_holds_for_its_body_and_for_no_other() -> None:
    target = SignedWebhook("webhook:x", "http://receiver", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", lambda _: True)
    told = Told(1, "billing.v1.drift_found", "drift:_", "_", "2022-11-03T20:26:10Z", {}, 0)
    [request] = target.requests([told], 1_614_265_330_000)
    message = request.headers["webhook-id"]
    signed = strict.Webhooks(target.secret).take("/", request.headers, request.body, 1_614_265_330)
    assert signed.status == 204
    assert message.startswith("msg_")
    other = replace(request, body=request.body + b" ")
    assert strict.Webhooks(target.secret).take("/", other.headers, other.body, 1_614_265_330).status == 401
    assert json.loads(request.body)["timestamp"] == "2022-11-03T20:26:10Z"


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_%%%", SECRET.removeprefix("whsec_")])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(BadSecret, match="24 to 64"):
        SignedWebhook.of("acme", "http://receiver", secret, lambda _: True)


def now_ms() -> int:
    return time.time_ns() // 1_000_000
