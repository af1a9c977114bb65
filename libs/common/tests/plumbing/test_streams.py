"""The provisioner and its table."""

import asyncio
import contextlib
from dataclasses import replace

import pytest
from nats.aio.msg import Msg
from nats.js.errors import APIError
from roomscribe_common import connection, streams
from roomscribe_common.bus import EXPECTED_LAST_SUBJECT_SEQUENCE, MSG_ID, Bus, WrongSequence
from roomscribe_common.errors import Retryable
from roomscribe_common.pull import BoundJetStream
from roomscribe_common.registry import MESSAGES
from roomscribe_common.stored import stored
from roomscribe_common.testing.providers import Servers

# Who hears a message without a durable consumer: on core NATS while the meeting runs, or by reading the stream.
READ_WITHOUT_CONSUMER = {
    ("attribution", "transcript.v1.final"),
    ("dispatcher", "meeting.v1.delayed"),
    ("dispatcher", "meeting.v1.ended"),
    ("dispatcher", "meeting.v1.failed"),
    ("dispatcher", "meeting.v1.requested"),
    ("dispatcher", "meeting.v1.series_ended"),
    ("dispatcher", "meeting.v1.series_requested"),
    ("dispatcher", "meeting.v1.started"),
    ("media-ingest", "transcript.v1.final"),
    ("summarizer", "insight.v1.minutes"),
    ("summarizer", "meeting.v1.participant_joined"),
    ("summarizer", "meeting.v1.participant_renamed"),
    ("summarizer", "meeting.v1.requested"),
    ("summarizer", "transcript.v1.final"),
    ("summarizer", "transcript.v1.revised"),
}
"""Read from the stream itself, or live on core NATS."""


async def test_first_run_creates_everything_and_a_second_finds_nothing(servers: Servers) -> None:
    nc = await connection.connect(servers.start("nats").url, "test")
    first = await streams.apply(BoundJetStream(nc))
    assert [f.kind for f in first] == ["created"] * (len(streams.STREAMS) + len(streams.CONSUMERS))
    assert await streams.apply(BoundJetStream(nc)) == []
    await connection.close(nc)


async def test_two_provisioners_at_once_do_not_disturb_each_other(servers: Servers) -> None:
    nc = await connection.connect(servers.start("nats").url, "test")
    await asyncio.gather(streams.apply(BoundJetStream(nc)), streams.apply(BoundJetStream(nc)))
    assert await streams.apply(BoundJetStream(nc)) == []
    await connection.close(nc)


async def test_drift_is_reported_in_words_and_left_alone(bus: Bus) -> None:
    stream = replace(streams.STREAMS[1], max_age_s=600.0)
    await bus.js.update_stream(stream.config(1))  # pyright: ignore[reportUnknownMemberType]  # untyped **params
    for _ in range(2):
        (finding,) = await streams.apply(bus.js)
        assert str(finding).startswith("drift: stream MEETINGS: max_age is 600000000000, the table says ")
    assert (await bus.js.stream_info("MEETINGS")).config.max_age == 600


async def test_a_stream_that_takes_its_messages_from_elsewhere_is_changed_and_keeps_them(bus: Bus) -> None:
    table = next(s for s in streams.STREAMS if s.offered)
    subject = "transcript.v1.final.acme.mtg_1"
    before = replace(replace(table, offered=False).config(1), max_age=600.0)
    await bus.js.update_stream(before)  # pyright: ignore[reportUnknownMemberType]  # untyped **params
    old = await bus.js.publish(subject, b"old")
    (changed,) = await streams.apply(bus.js)
    assert (changed.kind, changed.what) == ("changed", f"stream {table.name}")
    new = await bus.publish_bytes(subject, b"new", {MSG_ID: "new"})
    assert [m.data async for m in stored(bus.nc, table.name, subject)] == [b"old", b"new"]
    assert new.seq == old.seq + 1
    (drift,) = await streams.apply(bus.js)
    assert str(drift).startswith(f"drift: stream {table.name}: max_age is 600000000000"), "that is its owner's"


async def test_plain_subscribers_hear_of_an_offered_message_what_was_stored_and_nothing_that_was_refused(
    bus: Bus,
) -> None:
    subject, heard = "transcript.v1.final.acme.mtg_1", list[bytes]()

    async def hear(msg: Msg) -> None:
        heard.append(msg.data)

    await bus.nc.subscribe("transcript.v1.final.>", cb=hear)  # pyright: ignore[reportUnknownMemberType]  # untyped
    await bus.nc.flush()
    for data, id, behind in ((b"1", "a", 0), (b"2", "b", 0), (b"3", "a", 1), (b"4", "c", 1)):
        headers = {MSG_ID: id, EXPECTED_LAST_SUBJECT_SEQUENCE: str(behind)}
        with contextlib.suppress(WrongSequence):
            await bus.publish_bytes(subject, data, headers)
    await bus.nc.flush()
    assert heard == [b"1", b"4"]


async def test_drift_of_a_consumer_is_reported(bus: Bus) -> None:
    changed = replace(streams.CONSUMER["gateway-meetings"], ack_wait_s=77.0)
    await bus.js.add_consumer("MEETINGS", changed.config())  # pyright: ignore[reportUnknownMemberType]  # untyped **params
    (finding,) = await streams.apply(bus.js)
    assert (finding.kind, finding.what) == ("drift", "consumer gateway-meetings of MEETINGS")
    assert "ack_wait is 77000000000" in finding.detail


async def test_what_was_deleted_is_made_again(bus: Bus) -> None:
    await bus.js.delete_consumer("STT", "stt-worker-stt")
    assert [str(f) for f in await streams.apply(bus.js)] == ["created: consumer stt-worker-stt of STT"]


async def test_a_full_work_queue_refuses_and_the_producer_hears_of_it(bus: Bus) -> None:
    stream = next(s for s in streams.STREAMS if s.name == "DISPATCH")
    await bus.js.update_stream(replace(stream, max_bytes=2000).config(1))  # pyright: ignore[reportUnknownMemberType]  # untyped **params
    await bus.publish_bytes("dispatch.v1.job.a.b", b"x" * 1500, {MSG_ID: "1"})
    with pytest.raises(Retryable):
        await bus.publish_bytes("dispatch.v1.job.a.b", b"x" * 1500, {MSG_ID: "2"}, deadline_s=0.5)


async def test_a_work_queue_lets_no_second_consumer_take_its_items(bus: Bus) -> None:
    twin = replace(streams.CONSUMER["stt-worker-stt"], name="thief").config()
    with pytest.raises(APIError):
        await bus.js.add_consumer("STT", twin)  # pyright: ignore[reportUnknownMemberType]  # untyped **params


def test_every_stored_message_has_its_stream() -> None:
    for message in MESSAGES:
        holders = [s.name for s in streams.STREAMS if _matches(message.type, s.subjects)]
        assert holders == ([message.stream] if message.stream else [])


def test_every_reader_of_the_registry_has_its_consumer() -> None:
    for message in MESSAGES:
        for service in message.consumers if message.stream else ():
            if (service, message.type) in READ_WITHOUT_CONSUMER:
                continue
            spec = streams.CONSUMER[f"{service}-{message.stream}".lower().replace("_", "-")]
            assert (spec.stream, _matches(message.type, spec.filters)) == (message.stream, True), message


def _matches(kind: str, filters: tuple[str, ...]) -> bool:
    return any(f"{kind}.".startswith(f.removesuffix(">")) for f in filters)
