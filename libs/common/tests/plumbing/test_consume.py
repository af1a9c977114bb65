"""What becomes of a message: acked, again, or dead-lettered; over crashes, stops and restarts of NATS."""

import asyncio
import base64
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from nats.js.api import ConsumerInfo
from roomscribe_common import connection, streams
from roomscribe_common.bus import MSG_ID, Bus
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.dead import DeadLetter
from roomscribe_common.contracts.dispatch import DispatchJob
from roomscribe_common.contracts.meeting import MeetingEnded
from roomscribe_common.delivery import Delivery
from roomscribe_common.errors import Permanent, Retryable
from roomscribe_common.golden import EXAMPLES
from roomscribe_common.pull import BoundJetStream
from roomscribe_common.registry import BY_TYPE, MESSAGES
from roomscribe_common.service import Service, StartFailed
from roomscribe_common.settings import CommonSettings
from roomscribe_common.testing.providers import Servers
from roomscribe_common.testing.service import running_service
from roomscribe_common.testing.until import until

MakeEnded = Callable[[int], MeetingEnded]
CONSUMER = "gateway-meetings"
CRASHER = Path(__file__).with_name("crasher.py")


class Recorder:
    """A handler that notes what it gets and raises what it is told to, call by call."""

    def __init__(self, *raised: Exception | None) -> None:
        self.events: list[str] = []
        self.deliveries: list[int] = []
        self.at_s: list[float] = []
        self._raised = list(raised)

    async def __call__(self, event: MeetingEnded, delivery: Delivery) -> None:
        self.events.append(event.id)
        self.deliveries.append(delivery.deliveries)
        self.at_s.append(time.monotonic())
        if self._raised and (error := self._raised.pop(0)) is not None:
            raise error

    async def build(self, service: Service[CommonSettings]) -> None:
        service.consume(CONSUMER, self, MeetingEnded)


async def test_handled_message_is_acked_and_comes_once(bus: Bus, settings: CommonSettings, ended: MakeEnded) -> None:
    handler = Recorder()
    async with running_service("gateway", settings, handler.build):
        await bus.publish(ended(1))
        await until(lambda: _settled(bus))
    assert handler.deliveries == [1]


async def test_messages_are_handled_one_at_a_time_and_in_order(
    bus: Bus, settings: CommonSettings, ended: MakeEnded
) -> None:
    handler = Recorder()
    async with running_service("gateway", settings, handler.build):
        for n in range(50):
            await bus.publish(ended(n))
        await until(lambda: _settled(bus, 50))
    assert handler.events == [f"ended:{n}" for n in range(50)]


async def test_retryable_message_comes_again_after_its_delay(
    bus: Bus, settings: CommonSettings, ended: MakeEnded
) -> None:
    handler = Recorder(Retryable("redis is down", delay_s=0.5))
    async with running_service("gateway", settings, handler.build):
        await bus.publish(ended(1))
        await until(lambda: _settled(bus))
    assert handler.deliveries == [1, 2]
    assert handler.at_s[1] - handler.at_s[0] >= 0.5


async def test_permanent_failure_is_dead_lettered_with_bytes_place_and_reason(
    bus: Bus, settings: CommonSettings, ended: MakeEnded
) -> None:
    handler = Recorder(Permanent("no such meeting"))
    async with running_service("gateway", settings, handler.build):
        stored = await bus.publish(ended(1))
        await until(lambda: _settled(bus))
    letter = await _letter(bus)
    assert handler.deliveries == [1]
    assert (letter.tenant, letter.subject) == ("acme", "dead.v1.letter.acme.m")
    assert (letter.data.service, letter.data.consumer, letter.data.reason) == ("gateway", CONSUMER, "no such meeting")
    assert (letter.data.original_subject, letter.data.stream_sequence) == ("meeting.v1.ended.acme.m", stored.seq)
    assert base64.b64decode(letter.data.payload_base64) == ended(1).to_bytes()
    assert letter.data.headers[MSG_ID] == "ended:1"


async def test_unforeseen_error_is_retried_and_then_given_up(
    bus: Bus, settings: CommonSettings, ended: MakeEnded
) -> None:
    await bus.publish(ended(1))
    await _deliver_in_vain(bus, 3)
    handler = Recorder(KeyError("a"), KeyError("b"))
    async with running_service("gateway", settings, handler.build):
        await until(lambda: _is(handler.deliveries == [4]))
        await until(lambda: _settled(bus), timeout_s=20)
    assert handler.deliveries == [4, 5]
    assert (await _letter(bus)).data.reason == "given up after 5 deliveries: KeyError: 'b'"


async def test_message_whose_handlers_keep_dying_is_dead_lettered_unhandled(
    bus: Bus, settings: CommonSettings, ended: MakeEnded
) -> None:
    await bus.publish(ended(1))
    await _deliver_in_vain(bus, 100)
    handler = Recorder()
    async with running_service("gateway", settings, handler.build):
        await until(lambda: _settled(bus))
    assert handler.deliveries == []
    assert (await _letter(bus)).data.reason == "delivered 101 times and never settled"


async def test_event_that_claims_another_tenant_is_dead_lettered(
    bus: Bus, settings: CommonSettings, ended: MakeEnded
) -> None:
    async with running_service("gateway", settings, Recorder().build):
        await bus.publish_bytes("meeting.v1.ended.other.m", ended(1).to_bytes(), {MSG_ID: "forged"})
        await until(lambda: _settled(bus))
    assert "claims subject" in (await _letter(bus)).data.reason


async def test_event_nobody_handles_is_dead_lettered(bus: Bus, settings: CommonSettings) -> None:
    async with running_service("gateway", settings, Recorder().build):
        await bus.publish_bytes("meeting.v1.unheard_of.acme.m", b"{}", {MSG_ID: "1"})
        await until(lambda: _settled(bus))
    assert (await _letter(bus)).data.reason == "no handler for 'meeting.v1.unheard_of'"


@pytest.mark.parametrize("spec", streams.CONSUMERS, ids=lambda spec: spec.name)
async def test_malformed_message_is_dead_lettered_by_every_consumer_on_every_subject(
    bus: Bus, settings: CommonSettings, spec: streams.ConsumerSpec
) -> None:
    kinds = [m for m in MESSAGES if any(f"{m.type}.".startswith(f.removesuffix(">")) for f in spec.filters)]
    kinds = [m for m in kinds if m.stream == spec.stream]

    async def handle(event: AnyEvent, _: Delivery) -> None:
        raise AssertionError(event)

    async def build(service: Service[CommonSettings]) -> None:
        for kind in kinds:
            service.consume(spec.name, handle, kind.event)

    async with running_service(spec.name, settings, build):
        for kind in kinds:
            tail = "acme.m" if kind.depth == "meeting" else "acme.m.TR_1.utt_1"
            for n, payload in enumerate((b"", b"not json", b"\xff\xfe\x00", b"[]")):
                await bus.publish_bytes(f"{kind.type}.{tail}", payload, {MSG_ID: f"{kind.type}{n}"})
        await until(lambda: _stored(bus, "DEAD_LETTERS", 4 * len(kinds)))
    assert kinds
    for sequence in range(1, 4 * len(kinds) + 1):
        letter = await _letter(bus, sequence)
        kind = BY_TYPE[".".join(letter.data.original_subject.split(".")[:3])]
        assert letter.data.reason.startswith(f"malformed {kind.type}: ")


async def test_handler_slower_than_the_ack_wait_keeps_its_claim(bus: Bus, settings: CommonSettings) -> None:
    job = DispatchJob.model_validate_json((EXAMPLES / "dispatch.v1.job.json").read_bytes())
    deliveries: list[int] = []

    async def joins_slowly(_: DispatchJob, delivery: Delivery) -> None:
        deliveries.append(delivery.deliveries)
        await asyncio.sleep(streams.CONSUMER["media-ingest-dispatch"].ack_wait_s + 2)

    async def build(service: Service[CommonSettings]) -> None:
        service.consume("media-ingest-dispatch", joins_slowly, DispatchJob, concurrency=2)

    async with running_service("media-ingest", settings, build):
        await bus.publish(job)
        await until(lambda: _stored(bus, "DISPATCH", 1))
        await until(lambda: _stored(bus, "DISPATCH", 0))
    assert deliveries == [1]


async def test_message_of_a_killed_process_is_handled_by_the_next(
    bus: Bus, settings: CommonSettings, ended: MakeEnded
) -> None:
    stored = await bus.publish(ended(1))
    crasher = await asyncio.create_subprocess_exec(sys.executable, CRASHER, settings.nats_url)
    assert await asyncio.wait_for(crasher.wait(), 20) == -9
    handler = Recorder()
    async with running_service("gateway", settings, handler.build):
        await until(lambda: _settled(bus, stored.seq), timeout_s=20)
    assert handler.deliveries == [2]


async def test_stop_lets_the_running_handler_finish_and_takes_no_more(
    bus: Bus, settings: CommonSettings, ended: MakeEnded
) -> None:
    started, release = asyncio.Event(), asyncio.Event()
    handled: list[str] = []

    async def slow(event: MeetingEnded, _: Delivery) -> None:
        started.set()
        await release.wait()
        handled.append(event.id)

    async def build(service: Service[CommonSettings]) -> None:
        service.consume(CONSUMER, slow, MeetingEnded)

    async with running_service("gateway", settings, build):
        await bus.publish(ended(1))
        await bus.publish(ended(2))
        await started.wait()
        asyncio.get_running_loop().call_later(0.3, release.set)
    assert handled == ["ended:1"]
    info = await _info(bus)
    assert (info.num_pending or 0) + (info.num_ack_pending or 0) == 1, "the second waits for the next process"


async def test_consumption_goes_on_after_nats_was_killed_and_restarted(servers: Servers, ended: MakeEnded) -> None:
    server = servers.start("nats")
    nc = await connection.connect(server.url, "test")
    bus = Bus(nc, BoundJetStream(nc), "test")
    await streams.apply(bus.js)
    handler = Recorder()
    async with running_service("gateway", CommonSettings(nats_url=server.url), handler.build):
        await bus.publish(ended(1))
        await until(lambda: _is(handler.events == ["ended:1"]))
        server.kill()
        server.start()
        await asyncio.to_thread(server.wait_ready)
        await bus.publish(ended(2))
        await until(lambda: _is(handler.events[-1] == "ended:2"), timeout_s=6)
    await connection.close(nc)


async def test_missing_consumer_stops_the_start_with_what_to_do(bus: Bus, settings: CommonSettings) -> None:
    await bus.js.delete_consumer("MEETINGS", CONSUMER)
    with pytest.raises(StartFailed, match="gateway-meetings of stream MEETINGS does not exist: run `roomscribe str"):
        async with running_service("gateway", settings, Recorder().build):
            pass
    assert [c.name for c in await bus.js.consumers_info("MEETINGS") if c.name == CONSUMER] == []


async def test_consumer_deleted_under_a_service_shows_in_readiness_and_heals(
    bus: Bus, settings: CommonSettings, ended: MakeEnded
) -> None:
    handler = Recorder()
    async with running_service("gateway", settings, handler.build) as service:
        assert (await service.health.ready())[0]
        await bus.js.delete_consumer("MEETINGS", CONSUMER)
        cpu_before_s = time.process_time()
        await until(lambda: _unready(service), timeout_s=20)
        assert time.process_time() - cpu_before_s < 2, "a deleted consumer must not be asked for in a tight loop"
        await streams.apply(bus.js)
        await bus.publish(ended(1))
        await until(lambda: _is(handler.events == ["ended:1"]))
        assert (await service.health.ready())[0]


async def test_consumer_that_is_not_in_the_table_is_refused_by_name(settings: CommonSettings) -> None:
    async def build(service: Service[CommonSettings]) -> None:
        service.consume("gateway-meetngs", Recorder(), MeetingEnded)

    with pytest.raises(KeyError, match="gateway-meetngs"):
        async with running_service("gateway", settings, build):
            pass


async def _is(value: bool) -> bool:
    return value


async def _unready(service: Service[CommonSettings]) -> bool:
    ready, checks = await service.health.ready()
    assert ready or "gateway-meetings: no answer" in checks["consumers"]
    return not ready


async def _info(bus: Bus) -> ConsumerInfo:
    return await bus.js.consumer_info("MEETINGS", CONSUMER)


async def _settled(bus: Bus, messages: int = 1) -> bool:
    floor = (await _info(bus)).ack_floor
    return floor is not None and floor.stream_seq == messages


async def _stored(bus: Bus, stream: str, messages: int) -> bool:
    return (await bus.js.stream_info(stream)).state.messages == messages


async def _letter(bus: Bus, sequence: int = 1) -> DeadLetter:
    return DeadLetter.model_validate_json((await bus.js.get_msg("DEAD_LETTERS", sequence)).data or b"")


async def _deliver_in_vain(bus: Bus, times: int) -> None:
    pull = await BoundJetStream(bus.nc).bind("MEETINGS", CONSUMER)
    for _ in range(times):
        (message,) = await pull.fetch(1, timeout=5)
        await message.nak()
    await pull.unsubscribe()
