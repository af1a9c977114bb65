"""Server-sent events: everything once, in order, over restarts of anything; and an end."""

import asyncio
import contextlib
import random
import socket
from datetime import UTC, datetime

import httpx
import pytest
from roomscribe_common import connection
from roomscribe_common import streams as tables
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.pull import BoundJetStream
from roomscribe_common.testing.providers import Servers
from roomscribe_gateway.live.frames import name_of

from .conftest import ACME, Gateway, MakeSettings, Serve, Until, eventually
from .meetings import (
    Publisher,
    completed,
    ended,
    failed,
    final,
    gap,
    interim,
    joined,
    minutes,
    requested,
    revised,
    started,
    whole_meeting,
)
from .reading import Reading, reading


def finals(stream: Reading) -> list[int]:
    return [sent.data["sequence"] for sent in stream.seen if sent.event == "transcript.final"]


async def test_a_reader_gets_the_history_then_what_happens_then_the_end(gateway: Gateway, publisher: Publisher) -> None:
    await publisher(requested("m1"), started("m1"), final("m1", 1))
    async with reading(gateway.client) as stream:
        await stream.until(lambda s: len(s.seen) == 3)
        await publisher(joined("m1"), final("m1", 2), revised("m1", 1, "Better."), gap("m1", 1, 500))
        await stream.until(lambda s: len(s.seen) == 7)
        await publisher(ended("m1"), completed("m1", 2), minutes("m1"))
        await stream.to_end()
    assert finals(stream) == [1, 2]
    assert stream.names[-1] == "end"
    assert stream.seen[-1].data == {"reason": "minutes"}
    assert sorted(stream.names) == sorted(
        [
            "meeting.requested",
            "meeting.started",
            "transcript.final",
            "meeting.participant_joined",
            "transcript.final",
            "transcript.revised",
            "transcript.gap",
            "meeting.ended",
            "transcript.completed",
            "insight.minutes",
            "end",
        ]
    )
    words = [sent.data["text"] for sent in stream.seen if sent.event == "transcript.revised"]
    assert words == ["Better."]


async def test_interims_come_live_without_an_id(gateway: Gateway, publisher: Publisher) -> None:
    await publisher(requested("m1"), final("m1", 1))
    async with reading(gateway.client) as stream:
        await stream.until(lambda s: len(s.seen) == 2)
        before = stream.last_id
        async with asyncio.timeout(10):
            while "transcript.interim" not in stream.names:
                await publisher.core(interim("m1", 2, "We sh"), interim("m1", 2, "Not ours", "globex"))
                await publisher.core(interim("m2", 2, "Not here"))
                with contextlib.suppress(TimeoutError):
                    await stream.until(lambda s: "transcript.interim" in s.names, 0.2)
    assert stream.seen[-1].id is None
    assert stream.last_id == before
    assert {sent.data["text"] for sent in stream.seen if sent.event == "transcript.interim"} == {"We sh"}


async def test_a_late_reader_gets_what_was_stored_in_the_order_it_was_stored(
    gateway: Gateway, publisher: Publisher
) -> None:
    past = [
        requested("m1"),
        joined("m1"),
        final("m1", 1),
        started("m1"),
        final("m1", 2),
        ended("m1"),
        completed("m1", 2),
    ]
    for event in past:
        await publisher(event)
    async with reading(gateway.client) as stream:
        await stream.until(lambda s: len(s.seen) == len(past))
    assert stream.names == [name_of(event.TYPE) for event in past]


@pytest.mark.parametrize("by_query", [False, True])
async def test_resuming_after_any_event_misses_nothing_and_repeats_nothing(
    gateway: Gateway, publisher: Publisher, by_query: bool
) -> None:
    await publisher(*whole_meeting("m0"), *whole_meeting("m1"), *whole_meeting("m1", "globex"))
    async with reading(gateway.client) as stream:
        await stream.to_end()
    whole = [(sent.event, sent.data) for sent in stream.seen if sent.id]
    assert len(whole) == 8
    for position, sent in enumerate(stream.seen[:-1]):
        async with reading(gateway.client, "m1", sent.id, by_query=by_query) as rest:
            await rest.to_end()
        before = [(one.event, one.data) for one in stream.seen[: position + 1]]
        after = [(one.event, one.data) for one in rest.seen if one.id]
        # The three streams are independent of each other, so only the order within each is promised.
        assert sorted(map(repr, before + after)) == sorted(map(repr, whole))
        assert rest.names[-1] == "end"


NEVER_GIVEN = ("x", "t1-m1", "t1-m1-i1 ", "t-1-m0-i0", "t999999-m0-i0", "t0-m0-i99999", "t1٣-m0-i0", "t" + "9" * 40)


@pytest.mark.parametrize("id", NEVER_GIVEN)
async def test_an_id_that_was_never_given_is_refused(gateway: Gateway, publisher: Publisher, id: str) -> None:
    await publisher(requested("m1"))
    response = await gateway.client.get("/v1/meetings/m1/events", params={"last_event_id": id})
    assert response.status_code == 400, response.text
    assert response.json()["errors"][0]["field"] == "Last-Event-ID"


async def test_line_breaks_of_any_script_do_not_break_an_event(gateway: Gateway, publisher: Publisher) -> None:
    text = "a\nb\r\nc\x85d\u2028e\u2029f\x0bg\x1ch"
    await publisher(requested("m1"), final("m1", 1, text), failed("m1"))
    async with reading(gateway.client) as stream:
        await stream.until(lambda s: "transcript.final" in s.names)
    assert [sent.data["text"] for sent in stream.seen if sent.event == "transcript.final"] == [text]


async def test_a_meeting_that_failed_ends_its_stream(gateway: Gateway, publisher: Publisher) -> None:
    await publisher(requested("m1"), failed("m1"))
    async with reading(gateway.client) as stream:
        await stream.to_end()
    assert stream.names == ["meeting.requested", "meeting.failed", "end"]
    assert stream.seen[-1].data == {"reason": "failed"}


async def test_a_stream_does_not_wait_for_minutes_for_ever(gateway: Gateway, publisher: Publisher) -> None:
    await publisher(requested("m1"), final("m1", 1))
    async with reading(gateway.client) as stream:
        await stream.until(lambda s: len(s.seen) == 2)
        await publisher(ended("m1"))
        await stream.to_end()
    assert stream.names[-2:] == ["meeting.ended", "end"]
    assert stream.seen[-1].data == {"reason": "no_minutes"}


async def test_a_replayed_meeting_of_long_ago_still_gets_its_minutes(
    serve: Serve, make_settings: MakeSettings, publisher: Publisher
) -> None:
    await publisher(requested("m1"))
    async with serve(make_settings(gateway_end_grace_s=60)) as gateway, reading(gateway.client) as stream:
        await stream.until(lambda s: len(s.seen) == 1)
        await publisher(ended("m1", at=datetime(2020, 1, 1, tzinfo=UTC)))
        await stream.until(lambda s: len(s.seen) == 2 and s.comments > 0)
        await publisher(completed("m1", 0))
        await stream.until(lambda s: "transcript.completed" in s.names)
        await publisher(minutes("m1"))
        await stream.to_end()
    assert stream.names == [
        "meeting.requested",
        "meeting.ended",
        "transcript.completed",
        "insight.minutes",
        "end",
    ]


async def test_a_stream_ends_no_sooner_than_the_words_its_minutes_are_about(
    serve: Serve, make_settings: MakeSettings, publisher: Publisher
) -> None:
    await publisher(requested("m1"))
    async with serve(make_settings(gateway_end_grace_s=60)) as gateway, reading(gateway.client) as stream:
        await publisher(ended("m1"), minutes("m1"))
        await stream.until(lambda s: len(s.seen) == 3 and s.comments > 0)
        await publisher(final("m1", 1), completed("m1", 1))
        await stream.to_end()
    assert stream.names[-3:] == ["transcript.final", "transcript.completed", "end"]
    assert stream.seen[-1].data == {"reason": "minutes"}


async def test_a_long_history_comes_whole_and_in_order(gateway: Gateway, publisher: Publisher, bus: Bus) -> None:
    await publisher(requested("m1"))
    await asyncio.gather(*(bus.publish(final("m1", n)) for n in range(1, 1001)))
    await publisher(ended("m1"), completed("m1", 1), minutes("m1"))
    async with reading(gateway.client) as stream:
        await stream.to_end()
    assert sorted(finals(stream)) == list(range(1, 1001))
    ids = [sent.id for sent in stream.seen if sent.id]
    assert len(set(ids)) == len(ids)


async def test_readers_resume_over_a_gateway_restart_without_loss(
    serve: Serve, make_settings: MakeSettings, publisher: Publisher
) -> None:
    settings = make_settings()
    await publisher(requested("m1"), started("m1"))
    seen: list[int] = []
    last_id: str | None = None
    for restart in range(3):
        async with serve(settings) as gateway, reading(gateway.client, "m1", last_id) as stream:
            await publisher(*(final("m1", restart * 10 + n) for n in range(1, 6)))
            await stream.until(lambda s: len(finals(s)) >= 3)
            closing = asyncio.create_task(stream.to_end())
            last_in_this_life = stream
        # Leaving the block stopped the gateway while the stream was open.
        with contextlib.suppress(httpx.TransportError, asyncio.CancelledError, httpx.StreamError):
            await closing
        seen += finals(last_in_this_life)
        last_id = last_in_this_life.last_id
        await publisher(*(final("m1", restart * 10 + n) for n in range(6, 11)))
    async with serve(settings) as gateway, reading(gateway.client, "m1", last_id) as stream:
        await publisher(ended("m1"), completed("m1", 1), minutes("m1"))
        await stream.to_end()
    assert seen + finals(stream) == list(range(1, 31))


async def test_the_gateway_stops_at_once_though_streams_are_open(
    serve: Serve, make_settings: MakeSettings, publisher: Publisher
) -> None:
    await publisher(requested("m1"))
    settings = make_settings()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.gateway_port}", headers=ACME) as client:
        async with serve(settings), contextlib.AsyncExitStack() as stack:
            streams = [await stack.enter_async_context(reading(client)) for _ in range(3)]
            for stream in streams:
                await stream.until(lambda s: len(s.seen) == 1)
            kept = stack.pop_all()
            begun = asyncio.get_running_loop().time()
        took_s = asyncio.get_running_loop().time() - begun
        for stream in streams:
            await stream.to_end()  # in order, not by a broken connection
        await kept.aclose()
    assert took_s < 4


async def test_a_reader_loses_nothing_over_a_restart_of_nats(
    serve: Serve, make_settings: MakeSettings, servers: Servers
) -> None:
    server = servers.start("nats")
    nc = await connection.connect(server.url, "test")
    try:
        await tables.apply(BoundJetStream(nc))
        publisher = Publisher(Bus(nc, BoundJetStream(nc), "test"))
        async with serve(make_settings(nats_url=server.url)) as gateway:
            await publisher(requested("m1"), *(final("m1", n) for n in range(1, 4)))
            async with reading(gateway.client) as stream:
                await stream.until(lambda s: len(finals(s)) == 3)
                for life in (1, 2):
                    server.kill()
                    server.start()
                    server.wait_ready()
                    await publisher(*(final("m1", life * 3 + n) for n in range(1, 4)))
                    await stream.until(lambda s, life=life: len(finals(s)) == 3 + life * 3, 20)
                await publisher(ended("m1"), completed("m1", 1), minutes("m1"))
                await stream.to_end(20)
            # And the archive has caught up as well.
            await Until(20).get(gateway.client, "/v1/meetings/m1", lambda r: r.json().get("segments") == 9)
        assert finals(stream) == list(range(1, 10))
    finally:
        await nc.close()
        server.stop()


async def test_a_reader_that_takes_nothing_is_let_go_and_may_resume(
    serve: Serve, make_settings: MakeSettings, publisher: Publisher, bus: Bus
) -> None:
    settings = make_settings(gateway_slow_reader_s=0.5)
    long_text = "word " * 4000
    await publisher(requested("m1"))
    await asyncio.gather(*(bus.publish(final("m1", n, long_text)) for n in range(1, 401)))
    async with serve(settings) as gateway:
        received = await _read_late(gateway, settings.gateway_port)
        assert 0 < received.count(b"event: transcript.final") < 400
        last_id = received[: received.rindex(b"\n\n")].rsplit(b"id: ", 1)[1].split(b"\n")[0].decode()
        await publisher(ended("m1"), completed("m1", 1), minutes("m1"))
        async with reading(gateway.client, "m1", last_id) as stream:
            await stream.to_end()
        whole = received[: received.rindex(b"\n\n") + 2]
        assert whole.count(b"event: transcript.final") + len(finals(stream)) == 400


async def _read_late(gateway: Gateway, port: int) -> bytes:
    """Asks for the stream, reads only once the server has given up, and returns what had been sent."""
    with socket.create_connection(("127.0.0.1", port)) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        request = f"GET /v1/meetings/m1/events HTTP/1.1\r\nHost: x\r\nAuthorization: {ACME['Authorization']}\r\n\r\n"
        slow.sendall(request.encode())
        slow.setblocking(False)
        for count in (1, 0):
            await eventually(lambda count=count: _streams_open(gateway, count))
        received = bytearray()
        async with asyncio.timeout(30):
            while part := await asyncio.get_running_loop().sock_recv(slow, 65536):
                received += part
        return bytes(received)


async def _streams_open(gateway: Gateway, count: int) -> bool:
    return gateway.metric("roomscribe_gateway_streams") == count


async def test_no_more_streams_than_the_limit(serve: Serve, make_settings: MakeSettings, publisher: Publisher) -> None:
    await publisher(requested("m1"))
    async with contextlib.AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(serve(make_settings(gateway_max_streams=2)))
        streams = [await stack.enter_async_context(reading(gateway.client)) for _ in range(2)]
        for stream in streams:
            await stream.until(lambda s: len(s.seen) == 1)
        response = await gateway.client.get("/v1/meetings/m1/events")
        assert (response.status_code, response.headers["retry-after"]) == (503, "2")
        assert "2 event streams" in response.json()["detail"]


@pytest.mark.parametrize("seed", range(3))
async def test_readers_that_come_and_go_see_every_event_once(gateway: Gateway, publisher: Publisher, seed: int) -> None:
    events: list[AnyEvent] = [requested("m1"), *(final("m1", n) for n in range(1, 60))]
    events += [ended("m1"), completed("m1", 59), minutes("m1")]

    async def follow(chance: random.Random) -> list[str]:
        seen: list[str] = []
        last_id: str | None = None
        while "end" not in seen:
            patience = chance.randint(1, 12)
            async with reading(gateway.client, "m1", last_id) as stream:
                await stream.until(lambda s, patience=patience: "end" in s.names or len(s.seen) >= patience)
            seen += [f"{sent.event} {sent.data.get('sequence', '')}" if sent.id else sent.event for sent in stream.seen]
            last_id = stream.last_id
        return seen

    await publisher(events[0])
    readers = [asyncio.create_task(follow(random.Random(seed * 10 + n))) for n in range(4)]
    await publisher(*events[1:])
    for seen in await asyncio.gather(*readers):
        assert len(seen) == len(set(seen)) == len(events) + 1
        assert [one for one in seen if one.startswith("transcript.final")] == [
            f"transcript.final {n}" for n in range(1, 60)
        ]


async def test_a_stream_that_is_just_opening_does_not_hold_up_the_stop(
    serve: Serve, make_settings: MakeSettings, publisher: Publisher
) -> None:
    await publisher(requested("m1"), *(final("m1", n) for n in range(1, 30)))
    for patience in (0, 0, 1, 2, 4):
        settings = make_settings()
        url = f"http://127.0.0.1:{settings.gateway_port}"
        async with (
            httpx.AsyncClient(base_url=url, headers=ACME, timeout=30) as client,
            contextlib.AsyncExitStack() as kept,
        ):
            async with serve(settings):
                streams = [await kept.enter_async_context(reading(client)) for _ in range(4)]
                for stream in streams:
                    await stream.until(lambda s, patience=patience: len(s.seen) >= patience)
                begun = asyncio.get_running_loop().time()
            assert asyncio.get_running_loop().time() - begun < 4
