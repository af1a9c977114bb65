"""What receivers bill is what the ledger holds, whatever happens on the way, and whoever dies."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import count
from pathlib import Path

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.metrics import NoOpMeter
from roomscribe_common.contracts.usage import Meter
from roomscribe_usage_metering.adapters import database
from roomscribe_usage_metering.adapters.entries import Entries, append
from roomscribe_usage_metering.domain.entry import Entry
from roomscribe_usage_metering.exports import lago, openmeter, stripe
from roomscribe_usage_metering.exports.cursors import Cursors, Position
from roomscribe_usage_metering.exports.sender import Post, Sender, Tools, posting
from roomscribe_usage_metering.exports.sending import Answer, Request, Sink
from roomscribe_usage_metering.exports.usage import Usage
from sqlalchemy.ext.asyncio import AsyncEngine

from . import strict
from .ledger import ListFeed, entry, scenarios, stored, sums
from .serving import Trouble, served

METERS: tuple[Meter, ...] = ("webrtc_participant_minutes", "stt_audio_minutes", "llm_input_tokens")
TENANTS = ("acme", "bolt")
TOKEN = "secret"
_names = count()


def receiver(kind: str) -> strict.Receiver:
    match kind:
        case "openmeter":
            return strict.OpenMeter(TOKEN)
        case "lago":
            return strict.Lago(TOKEN)
        case _:
            return strict.Stripe(TOKEN, {f"roomscribe_{meter}" for meter in METERS})


def sink(kind: str, url: str, batch: int, late: stripe.Late | None = None, **given: str) -> Sink[Usage]:
    """A receiver's sink; each has its own cursor."""
    name, token = given.get("name", f"{kind}:{next(_names)}"), given.get("token", TOKEN)
    same = {tenant: tenant for tenant in TENANTS}
    match kind:
        case "openmeter":
            return openmeter.OpenMeter(name, kind, url, token, batch)
        case "lago":
            return lago.Lago(name, kind, url, token, same, batch=min(batch, lago.AT_MOST))
        case _:
            return stripe.Stripe(name, kind, url, token, same, late, batch=batch, gather_s=0)


KINDS = ("openmeter", "lago", "stripe")


class Died(BaseException):
    """The process was killed at this instant."""


class Wire:
    """The way to a receiver: each request meets the next fate. Deaths are before it arrives and after it was taken."""

    def __init__(self, receiver: strict.Receiver, fates: Sequence[str]) -> None:
        self.receiver, self.fates, self.later_s = receiver, list(fates), 0

    async def post(self, request: Request) -> Answer:
        fate = self.fates.pop(0) if self.fates else "good"
        if fate == "busy":
            return Answer(429, {"retry-after": "0"}, b"")
        if fate == "broken":
            return Answer(503, {}, b"")
        if fate == "dies before":
            raise Died
        path = "/" + request.url.split("/", 3)[3]
        reply = self.receiver.take(path, request.headers, request.body, int(time.time()) + self.later_s)
        if fate == "cut":
            raise aiohttp.ClientConnectionError
        if fate == "dies after":
            raise Died
        body = b"" if reply.body is None else strict.json.dumps(reply.body).encode()
        return Answer(reply.status, reply.headers, body)


async def drain(engine: AsyncEngine, sink: Sink[Usage], items: Sequence[Usage], post: Post) -> None:
    """One process after the other sends until all is sent; each is a replica of its own, after the lease."""
    for life in range(30):
        later_ms = life * 61_000
        tools = Tools(
            Cursors(engine, f"replica-{life}", 60_000), post, NoOpMeter("test"), lambda at=later_ms: now_ms() + at
        )

        sender = Sender(sink, ListFeed(items), tools)
        try:
            for _ in range(60):
                assert await sender.turn() != 300.0, "refused"
                at = await tools.cursors.at(sink.name)
                if at is not None and at.seq == (items[-1].seq if items else 0):
                    return
        except Died:
            continue
    raise AssertionError("not everything was sent")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


ENTRIES = st.lists(
    st.tuples(st.integers(-50, 500), st.sampled_from(TENANTS), st.sampled_from(METERS)), max_size=30
).map(lambda found: [entry(number, steps, tenant, meter) for number, (steps, tenant, meter) in enumerate(found)])
FATES = st.lists(st.sampled_from(["good", "good", "busy", "broken", "cut", "dies before", "dies after"]), max_size=12)


@pytest.mark.timeout(1_800)  # with thousands of scenarios
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_exported_adds_up_to_the_ledger_whatever_happens(kind: str, tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        engine = database.open_engine(f"sqlite+aiosqlite:///{tmp_path}/usage.db", 10)
        runner.run(database.create_tables(engine))

        @given(ENTRIES, FATES, st.integers(1, 12))
        @scenarios
        def whatever_happens(entries: list[Entry], fates: list[str], batch: int) -> None:
            wire = Wire(receiver(kind), fates)
            items = stored(entries, now_ms())
            runner.run(drain(engine, sink(kind, "http://receiver", batch), items, wire.post))
            assert nonzero(wire.receiver.sums()) == nonzero(sums(entries))

        whatever_happens()
        runner.run(engine.dispose())


def nonzero(found: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    return {key: steps for key, steps in found.items() if steps}


TROUBLES: list[Trouble | None] = ["broken", "cut", "busy", None, "cut", "broken"]


@pytest.mark.parametrize("kind", KINDS)
async def test_over_http_a_sending_cut_after_it_was_taken_is_not_billed_twice(engine: AsyncEngine, kind: str) -> None:
    entries = [entry(n, n, TENANTS[n % 2], METERS[n % 3]) for n in range(1, 251)]
    async with engine.begin() as connection:
        await connection.run_sync(append, entries, now_ms())
    async with served(receiver(kind)) as server, aiohttp.ClientSession() as session:
        server.troubles = list(TROUBLES)
        await deliver(engine, sink(kind, server.url, 100), session)
        assert server.receiver.sums() == sums(entries)
        assert server.receiver.again > 0


async def deliver(engine: AsyncEngine, sink: Sink[Usage], session: aiohttp.ClientSession) -> None:
    """Sends the ledger's entries from the database."""
    source = Entries(engine)
    items = stored([one.entry for one in await source.after(0, 10_000)], now_ms())
    await drain(engine, sink, items, posting(session, 10))


async def test_a_replica_does_not_send_what_another_is_sending(engine: AsyncEngine) -> None:
    first, second = (Cursors(engine, name, 60_000) for name in ("a", "b"))
    await first.start("openmeter:x", 0)
    at = await first.at("openmeter:x")
    assert at is not None
    assert await first.begin(at, 10, 1_000)
    seen = await second.at("openmeter:x")
    assert seen is not None
    assert seen.until_seq == 10
    assert not await second.begin(seen, 10, 30_000)
    assert await second.begin(seen, 10, 61_001)  # the first one is silent for longer than its lease
    await second.answered(seen, "p", 61_002)
    assert not await first.begin(seen, 10, 61_003)
    await second.finish(seen, 10)
    assert await first.at("openmeter:x") == Position("openmeter:x", 10)


@pytest.mark.parametrize("kind", ["openmeter", "lago"])
async def test_a_receiver_that_has_a_part_already_is_sent_the_rest(engine: AsyncEngine, kind: str) -> None:
    entries = [entry(n, n) for n in range(1, 11)]
    wire, items = Wire(receiver(kind), []), stored(entries, now_ms())
    await drain(engine, sink(kind, "http://receiver", 3), items[:4], wire.post)
    await drain(engine, sink(kind, "http://receiver", 10), items, wire.post)
    assert wire.receiver.sums() == sums(entries)
    assert wire.receiver.again == 4


async def test_what_stripe_has_answered_is_not_sent_again_once_it_has_forgotten_it(engine: AsyncEngine) -> None:
    items = stored([entry(1, 40), entry(2, 7, "bolt")], now_ms())
    wire, target = Wire(receiver("stripe"), ["good", "dies before"]), sink("stripe", "http://receiver", 10)
    tools = Tools(Cursors(engine, "first", 60_000), wire.post, NoOpMeter("test"))
    with pytest.raises(Died):
        await turns(Sender(target, ListFeed(items), tools))
    wire.later_s = 25 * 3_600
    tools = Tools(Cursors(engine, "second", 60_000), wire.post, NoOpMeter("test"), lambda: now_ms() + 25 * 3_600_000)
    await turns(Sender(target, ListFeed(items), tools))
    assert wire.receiver.sums() == sums([entry(1, 40), entry(2, 7, "bolt")])
    assert wire.receiver.again == 0


async def test_usage_older_than_stripe_takes_becomes_an_invoice_item(engine: AsyncEngine) -> None:
    old_ms = now_ms() - 36 * 86_400_000
    entries = [entry(1, 40), entry(2, -7, "bolt")]
    items = stored_at(entries, old_ms)
    late = stripe.Late("usd", {"webrtc_participant_minutes": Decimal("0.05")})
    strict_stripe = strict.Stripe(TOKEN, {f"roomscribe_{meter}" for meter in METERS})
    wire = Wire(strict_stripe, ["cut"])
    await drain(engine, sink("stripe", "http://receiver", 10, late), items, wire.post)
    assert strict_stripe.events == []
    assert strict_stripe.again == 1
    names = ("customer", "quantity", "unit_amount_decimal")
    told = [tuple(item[name] for name in names) for item in strict_stripe.sold()]
    assert sorted(told) == [("acme", "40", "0.05"), ("bolt", "7", "-0.05")]


def stored_at(entries: Sequence[Entry], at_ms: int) -> list[Usage]:
    return [replace(one, at_ms=at_ms) for one in stored(entries, at_ms)]


async def test_usage_too_old_for_stripe_without_a_price_waits_for_one_and_loses_nothing(engine: AsyncEngine) -> None:
    items = stored_at([entry(1, 40)], now_ms() - 36 * 86_400_000)
    wire = Wire(receiver("stripe"), [])
    tools = Tools(Cursors(engine, "r", 60_000), wire.post, NoOpMeter("test"))

    target = sink("stripe", "http://receiver", 10)
    assert await turns(Sender(target, ListFeed(items), tools)) == 300.0
    assert await tools.cursors.at(target.name) == Position(target.name, 0, until_seq=1)


async def turns(sender: Sender[Usage]) -> float | None:
    """Turns until one says to wait."""
    while not (wait_s := await sender.turn()):
        pass
    return wait_s


@pytest.mark.parametrize("kind", KINDS)
async def test_a_wrong_key_stops_the_export_until_it_is_put_right(engine: AsyncEngine, kind: str) -> None:
    items = stored([entry(1, 3)], now_ms())
    wire = Wire(receiver(kind), [])
    target = sink(kind, "http://receiver", 10)
    wrong = sink(kind, "http://receiver", 10, token="wrong", name=target.name)
    tools = Tools(Cursors(engine, "r", 60_000), wire.post, NoOpMeter("test"))

    assert await turns(Sender(wrong, ListFeed(items), tools)) == 300.0
    assert wire.receiver.sums() == {}
    await turns(Sender(target, ListFeed(items), tools))
    assert wire.receiver.sums() == {("acme", "webrtc_participant_minutes"): 3}


async def test_a_receiver_that_is_busy_is_left_alone_as_long_as_it_says(engine: AsyncEngine) -> None:
    async def busy(_: Request) -> Answer:
        return Answer(429, {"x-ratelimit-reset": "7"}, b"")

    items = stored([entry(1, 3)], now_ms())

    tools = Tools(Cursors(engine, "r", 60_000), busy, NoOpMeter("test"))
    assert await turns(Sender(sink("lago", "http://receiver", 10), ListFeed(items), tools)) == 7.0


def test_names_of_people_are_not_exported() -> None:
    for kind in KINDS:
        for request in sink(kind, "http://receiver", 10).requests(stored([entry(1, 3)], now_ms()), now_ms()):
            assert b"anna" not in request.body
