"""Publishing, core messages and commands on a real server."""

import asyncio
import base64
from collections.abc import Callable

import pytest
from pydantic import BaseModel, ConfigDict
from roomscribe_common import connection, streams
from roomscribe_common.bus import Bus, WrongSequence
from roomscribe_common.contracts.dead import DeadLetter
from roomscribe_common.contracts.meeting import MeetingEnded
from roomscribe_common.errors import Permanent, ProblemError, Retryable
from roomscribe_common.pull import BoundJetStream
from roomscribe_common.testing.providers import Servers
from roomscribe_common.testing.until import until

MakeEnded = Callable[[int], MeetingEnded]
ASK = "command.v1.test.ask"


class Ask(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: int


class Answer(BaseModel):
    number: int


async def test_second_publish_of_an_event_is_a_duplicate_and_stores_nothing(bus: Bus, ended: MakeEnded) -> None:
    first = await bus.publish(ended(1))
    second = await bus.publish(ended(1))
    assert (second.seq, second.duplicate) == (first.seq, True)
    assert (await bus.js.stream_info("MEETINGS")).state.messages == 1


async def test_publish_waits_for_a_nats_that_is_killed_and_comes_back(servers: Servers, ended: MakeEnded) -> None:
    server = servers.start("nats")
    nc = await connection.connect(server.url, "test")
    bus = Bus(nc, BoundJetStream(nc), "test")
    await streams.apply(bus.js)
    await bus.publish(ended(1))
    server.kill()
    publishing = asyncio.create_task(bus.publish(ended(2)))
    server.start()
    await asyncio.to_thread(server.wait_ready)
    assert (await publishing).seq == 2
    assert (await bus.publish(ended(1))).duplicate, "the server remembers ids over its own crash"
    await connection.close(nc)


async def test_publish_that_nobody_stores_is_retryable_after_its_deadline(bus: Bus, ended: MakeEnded) -> None:
    await bus.js.delete_stream("MEETINGS")
    with pytest.raises(Retryable, match=r"meeting\.v1\.ended"):
        await bus.publish(ended(1), deadline_s=0.3)


async def test_event_larger_than_the_server_takes_is_permanent(bus: Bus) -> None:
    with pytest.raises(Permanent):
        await bus.publish_bytes("meeting.v1.ended.a.b", b"x" * 2_000_000, {"Nats-Msg-Id": "1"})


async def test_expected_sequence_lets_one_writer_win_and_tells_the_other_where_it_stands(
    bus: Bus, ended: MakeEnded
) -> None:
    won = await bus.publish(ended(1), expected_last_subject_sequence=0)
    with pytest.raises(WrongSequence) as lost:
        await bus.publish(ended(2), expected_last_subject_sequence=0)
    assert lost.value.actual == won.seq
    await bus.publish(ended(2), expected_last_subject_sequence=won.seq)


async def test_retry_of_an_event_that_was_stored_is_no_wrong_sequence(bus: Bus, ended: MakeEnded) -> None:
    await bus.publish(ended(1), expected_last_subject_sequence=0)
    assert (await bus.publish(ended(1), expected_last_subject_sequence=0)).duplicate


async def test_command_is_answered(bus: Bus) -> None:
    async def double(ask: Ask) -> Answer:
        return Answer(number=ask.number * 2)

    await bus.reply(ASK, double, Ask)
    assert (await bus.request(ASK, Ask(number=21), Answer)).number == 42


async def test_command_with_an_unknown_field_is_refused_by_name(bus: Bus) -> None:
    class Wider(Ask):
        color: str

    async def never(_: Ask) -> Answer:
        raise AssertionError

    await bus.reply(ASK, never, Ask)
    with pytest.raises(ProblemError) as refused:
        await bus.request(ASK, Wider(number=1, color="red"), Answer)
    assert refused.value.problem.status == 422
    assert [e.field for e in refused.value.problem.errors] == ["color"]


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (ProblemError.of("gone", 410, "Gone", "the meeting is over"), 410),
        (Retryable("redis is down"), 503),
        (Permanent("no such room"), 422),
        (KeyError("Alice said so"), 500),
    ],
)
async def test_failure_of_a_command_reaches_the_caller_as_a_problem(bus: Bus, raised: Exception, status: int) -> None:
    async def fails(_: Ask) -> Answer:
        raise raised

    await bus.reply(ASK, fails, Ask)
    with pytest.raises(ProblemError) as problem:
        await bus.request(ASK, Ask(number=1), Answer)
    assert problem.value.problem.status == status
    assert "Alice" not in problem.value.problem.model_dump_json()


async def test_command_nobody_listens_to_is_unavailable_at_once(bus: Bus) -> None:
    with pytest.raises(ProblemError, match="'test' is not running") as problem:
        await bus.request(ASK, Ask(number=1), Answer)
    assert problem.value.problem.status == 503


async def test_command_that_is_not_answered_in_time_is_a_timeout(bus: Bus) -> None:
    async def hangs(_: Ask) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    await bus.reply(ASK, hangs, Ask)
    with pytest.raises(ProblemError) as problem:
        await bus.request(ASK, Ask(number=1), Answer, timeout_s=0.1)
    assert problem.value.problem.status == 504
    await bus.finish(0.1)


async def test_answer_larger_than_the_server_takes_is_told_at_once(bus: Bus) -> None:
    class Long(BaseModel):
        text: str

    async def long(_: Ask) -> Long:
        return Long(text="x" * bus.nc.max_payload)

    await bus.reply(ASK, long, Ask)
    with pytest.raises(ProblemError) as problem:
        await bus.request(ASK, Ask(number=1), Long)
    assert problem.value.problem.type == "urn:roomscribe:problem:answer-too-large"


async def test_slow_command_does_not_hold_up_the_next(bus: Bus) -> None:
    release = asyncio.Event()

    async def first_waits(ask: Ask) -> Answer:
        if ask.number == 1:
            await release.wait()
        release.set()
        return Answer(number=ask.number)

    await bus.reply(ASK, first_waits, Ask)
    first = asyncio.create_task(bus.request(ASK, Ask(number=1), Answer))
    assert (await bus.request(ASK, Ask(number=2), Answer)).number == 2
    assert (await first).number == 1


async def test_core_events_arrive_in_order_and_survive_a_failing_handler(bus: Bus, ended: MakeEnded) -> None:
    seen: list[str] = []

    async def note(event: MeetingEnded) -> None:
        seen.append(event.id)
        if len(seen) == 1:
            raise KeyError("first")

    await bus.subscribe("meeting.v1.ended.>", note, MeetingEnded)
    for n in range(20):
        await bus.publish_core(ended(n))
    await until(lambda: _is(len(seen) == 20))
    assert seen == [f"ended:{n}" for n in range(20)]


@pytest.mark.parametrize("payload", [b"", b"{", b"42", b"\xff\xfe", b'{"specversion":"1.0"}', b"x" * 100_000])
async def test_malformed_core_message_is_dead_lettered_with_the_reason(bus: Bus, payload: bytes) -> None:
    async def never(_: MeetingEnded) -> None:
        raise AssertionError

    await bus.subscribe("meeting.v1.ended.>", never, MeetingEnded)
    await bus.nc.publish("meeting.v1.ended.acme.m", payload)
    await until(lambda: _stored(bus, "DEAD_LETTERS", 1))
    letter = DeadLetter.model_validate_json((await bus.js.get_msg("DEAD_LETTERS", 1)).data or b"")
    assert letter.subject == "dead.v1.letter.acme.m"
    assert letter.data.reason.startswith("malformed meeting.v1.ended: ")


@pytest.mark.parametrize(
    "payload", [b'{"data": {"token" : "eyJ.secret.x", "room": "r"}}', b'{"data": {"room": "r", "token":"eyJ.secret']
)
async def test_dead_letter_of_a_job_holds_no_token(bus: Bus, payload: bytes) -> None:
    async def never(_: MeetingEnded) -> None:
        raise AssertionError

    await bus.subscribe("dispatch.v1.job.>", never, MeetingEnded)
    await bus.nc.publish("dispatch.v1.job.acme.m", payload)
    await until(lambda: _stored(bus, "DEAD_LETTERS", 1))
    letter = DeadLetter.model_validate_json((await bus.js.get_msg("DEAD_LETTERS", 1)).data or b"")
    kept = base64.b64decode(letter.data.payload_base64)
    assert b"secret" not in kept
    assert b'"room": "r"' in kept


async def _is(value: bool) -> bool:
    return value


async def _stored(bus: Bus, stream: str, messages: int) -> bool:
    return (await bus.js.stream_info(stream)).state.messages == messages
