"""The archive: a pure function of the streams, on both databases, whatever arrives twice, late or malformed."""

import random
import sqlite3
from contextlib import closing

import pytest
from nats.aio.client import Client
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.pull import BoundJetStream
from roomscribe_common.stored import stored
from roomscribe_gateway.archive import database, schema
from roomscribe_gateway.archive.rebuild import rebuild
from roomscribe_gateway.archive.rows import rows_of
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from .conftest import MakeSettings, Serve, Until, eventually
from .meetings import (
    Publisher,
    failed,
    final,
    gap,
    joined,
    left,
    minutes,
    renamed,
    requested,
    revised,
    used,
    whole_meeting,
)


async def content(engine: AsyncEngine) -> dict[str, list[tuple[object, ...]]]:
    async with engine.connect() as connection:
        return {
            table.name: sorted((tuple(row) for row in await connection.execute(select(table))), key=repr)
            for table in schema.CONTENT
        }


def much() -> list[AnyEvent]:
    return [
        *whole_meeting("m1"),
        *whole_meeting("m1", "globex"),
        left("m1"),
        joined("m1", "PA_2"),
        renamed("m1", "Countess", 5, "PA_2"),
        renamed("m1", "Lady", 7, "PA_2"),
        gap("m1", 1, 500),
        revised("m1", 1, "Better.", 2),
        revised("m1", 1, "Best.", 3),
        used("m1"),
        requested("m2"),
        failed("m2"),
        minutes("m3"),
    ]


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_and_any_repetition_give_the_same_archive(database_url: str, seed: int) -> None:
    async def filled(events: list[AnyEvent], batch: int) -> dict[str, list[tuple[object, ...]]]:
        await database.empty(engine)
        for start in range(0, len(events), batch):
            await database.write(engine, [row for event in events[start : start + batch] for row in rows_of(event)])
        return await content(engine)

    engine = database.open_engine(database_url)
    try:
        await database.prepare(engine, database_url, 5)
        in_order = await filled(much(), 100)
        shuffled = much() * 3
        random.Random(seed).shuffle(shuffled)
        assert await filled(shuffled, 1 + seed * 3) == in_order
        assert len(in_order["archive_segments"]) == 4
    finally:
        await engine.dispose()


async def test_a_rebuild_replays_the_streams_to_the_same_content(
    serve: Serve, make_settings: MakeSettings, publisher: Publisher, nc: Client, database_url: str, until: Until
) -> None:
    async with serve(make_settings(database_url=database_url)) as gateway:
        await publisher(*much(), requested("mz"))
        await until.get(gateway.client, "/v1/meetings?room=planning", lambda r: '"mz"' in r.text)
        await until.get(gateway.client, "/v1/meetings/m3/minutes", lambda r: r.status_code == 200)
        await until.get(gateway.client, "/v1/meetings/m1/transcript", lambda r: "Best." in r.text)
        await until.get(gateway.client, "/v1/meetings/m1/usage", lambda r: r.status_code == 200)
        engine = database.open_engine(database_url)
        try:
            before = await content(engine)
            await database.write(engine, rows_of(final("m1", 99, "Never was in the stream.")))
            assert await content(engine) != before
            # The gateway runs meanwhile.
            applied = await rebuild(nc, engine)
            assert await content(engine) == before
            assert applied["TRANSCRIPTS"] == 9
        finally:
            await engine.dispose()


async def test_an_archive_of_another_version_is_refused_until_it_is_rebuilt(database_url: str, nc: Client) -> None:
    engine = database.open_engine(database_url)
    try:
        await database.prepare(engine, database_url, 5)
        async with engine.begin() as connection:
            await connection.execute(schema.version.update().values(version=0))
        with pytest.raises(database.OldArchive, match="rebuild"):
            await database.prepare(engine, database_url, 5)
        await rebuild(nc, engine)
        await database.prepare(engine, database_url, 5)
    finally:
        await engine.dispose()


async def test_a_locked_database_delays_the_archive_and_loses_nothing(
    serve: Serve, make_settings: MakeSettings, publisher: Publisher, sqlite_url: str, until: Until, nc: Client
) -> None:
    async with serve(make_settings()) as gateway:
        with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite+aiosqlite:///"), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await publisher(*whole_meeting("m1"))
            # Longer than a message's ack wait would be an eternity here: two tries are enough to see it try again.
            await until_held(nc)
            other.execute("ROLLBACK")
        await until.get(gateway.client, "/v1/meetings/m1/minutes", lambda r: r.status_code == 200)
        expected = {"state": "ended", "transcript_complete": True, "segments": 2}
        await until.get(gateway.client, "/v1/meetings/m1", lambda r: expected.items() <= r.json().items())
        assert await dead_letters(nc) == []


async def until_held(nc: Client) -> None:
    """Waits until the gateway has taken messages it cannot store yet."""
    js = BoundJetStream(nc)

    async def held() -> bool:
        return bool((await js.consumer_info("TRANSCRIPTS", "gateway-transcripts")).num_ack_pending)

    await eventually(held)


async def dead_letters(nc: Client) -> list[bytes]:
    return [message.data async for message in stored(nc, "DEAD_LETTERS", ">")]


async def test_malformed_events_are_dead_lettered_and_the_rest_goes_in(
    serve: Serve,
    make_settings: MakeSettings,
    bus: Bus,
    publisher: Publisher,
    database_url: str,
    until: Until,
    nc: Client,
) -> None:
    async with serve(make_settings(database_url=database_url)) as gateway:
        good = final("m1", 1)
        await bus.publish_bytes("transcript.v1.final.acme.m1", b"{not json", {"Nats-Msg-Id": "bad1"})
        stolen = good.model_copy(update={"id": "bad2", "tenant": "globex"})
        await bus.publish_bytes("transcript.v1.final.acme.m1", stolen.to_bytes(), {"Nats-Msg-Id": "bad2"})
        huge = good.data.model_copy(update={"start_ms": 2**80, "segment_id": "utt_huge"})
        await publisher(good.model_copy(update={"id": "bad3", "data": huge}), good)
        await until.get(gateway.client, "/v1/meetings/m1/transcript", lambda r: "Good morning." in r.text)

        async def three() -> bool:
            return len(await dead_letters(nc)) == 3

        await eventually(three)
        assert all(b"gateway-transcripts" in letter for letter in await dead_letters(nc))
        assert (await gateway.globex.get("/v1/meetings/m1")).status_code == 404


async def test_names_and_words_with_nul_go_in(
    serve: Serve, make_settings: MakeSettings, publisher: Publisher, database_url: str, until: Until
) -> None:
    async with serve(make_settings(database_url=database_url)) as gateway:
        await publisher(requested("m1", room="a\x00b"), renamed("m1", "N\x00UL"), final("m1", 1, "x\x00y"))
        found = await until.get(
            gateway.client, "/v1/meetings/m1", lambda r: r.json().get("participants") not in ([], None)
        )
        assert found.json()["participants"][0]["name"] == "N\ufffdUL"
        text = await until.get(gateway.client, "/v1/meetings/m1/transcript", lambda r: bool(r.json()["segments"]))
        assert text.json()["segments"][0]["text"] == "x\x00y"


async def test_a_gateway_that_was_away_catches_up(
    serve: Serve, make_settings: MakeSettings, publisher: Publisher, until: Until
) -> None:
    settings = make_settings()
    async with serve(settings) as gateway:
        await publisher(requested("m1"), final("m1", 1))
        await until.get(gateway.client, "/v1/meetings/m1", lambda r: r.json().get("segments") == 1)
    await publisher(*(final("m1", number) for number in range(2, 400)))
    async with serve(settings) as gateway:
        await until.get(gateway.client, "/v1/meetings/m1", lambda r: r.json().get("segments") == 399)
