"""Reading the events that streams hold, on a real NATS."""

import logging
from collections.abc import Callable

import pytest
from roomscribe_common import connection
from roomscribe_common.bus import MSG_ID, Bus
from roomscribe_common.contracts.meeting import MeetingEnded
from roomscribe_common.contracts.stt import SttGap, SttInterim
from roomscribe_common.errors import Retryable
from roomscribe_common.golden import EXAMPLES
from roomscribe_common.subjects import subject_of
from roomscribe_common.told import all_events, last_event, last_event_on

MakeEnded = Callable[[int], MeetingEnded]
SECRET = "what somebody said"


def gap(utterance: str, meeting: str = "m", tenant: str = "acme") -> SttGap:
    example = SttGap.model_validate_json((EXAMPLES / "stt.v1.gap.json").read_bytes())
    subject = subject_of(SttGap, tenant, meeting, "TR_1", utterance)
    return example.model_copy(update={"id": f"gap:{utterance}", "subject": subject, "tenant": tenant})


async def ids(bus: Bus, *of: str) -> list[str]:
    return [found.id.removeprefix("gap:") async for found in all_events(bus.nc, SttGap, *of)]


async def test_all_of_a_class_are_read_oldest_first_of_everybody_a_tenant_or_a_meeting(bus: Bus) -> None:
    for event in (gap("u1"), gap("u2", tenant="other"), gap("u3", meeting="n"), gap("u4")):
        await bus.publish(event)
    assert await ids(bus) == ["u1", "u2", "u3", "u4"]
    assert await ids(bus, "acme") == ["u1", "u3", "u4"]
    assert await ids(bus, "acme", "m") == ["u1", "u4"]
    assert await ids(bus, "*", "m") == ["u1", "u2", "u4"]
    assert await ids(bus, "acme", "nowhere") == []


async def test_all_about_a_meeting_whose_events_have_no_track_are_read(bus: Bus, ended: MakeEnded) -> None:
    await bus.publish(ended(1))
    assert [found.id async for found in all_events(bus.nc, MeetingEnded, "acme", "m")] == ["ended:1"]


async def test_the_last_of_a_class_is_read(bus: Bus, ended: MakeEnded) -> None:
    for event in (ended(1), ended(2), gap("u1"), gap("u2")):
        await bus.publish(event)
    assert await last_event(bus.js, MeetingEnded, "acme", "m") == ended(2)
    assert await last_event(bus.js, MeetingEnded, "other", "m") is None
    assert await last_event_on(bus.js, SttGap, gap("u1").subject) == gap("u1")


@pytest.mark.parametrize("claims", [{"data": SECRET}, {"tenant": "other"}, {"subject": f"meeting.v1.ended.{SECRET}"}])
async def test_what_is_malformed_is_left_out_with_a_warning_that_does_not_quote_it(
    bus: Bus, ended: MakeEnded, caplog: pytest.LogCaptureFixture, claims: dict[str, str]
) -> None:
    await bus.publish(ended(1))
    bad = ended(2).model_copy(update=claims).model_dump_json(warnings=False).encode()
    ack = await bus.publish_bytes(ended(2).subject, bad, {MSG_ID: "2"})
    assert [found.id async for found in all_events(bus.nc, MeetingEnded)] == ["ended:1"]
    [record] = caplog.records
    assert (record.levelno, record.msg) == (logging.WARNING, "malformed event left out")
    assert vars(record).items() >= {"type": "meeting.v1.ended", "stream": "MEETINGS", "sequence": ack.seq}.items()
    assert SECRET not in str(vars(record))
    assert await last_event(bus.js, MeetingEnded, "acme", "m") is None
    assert len(caplog.records) == 2


async def test_a_stream_that_cannot_be_asked_is_retryable(bus: Bus) -> None:
    await connection.close(bus.nc)
    with pytest.raises(Retryable, match="MEETINGS did not answer"):
        await last_event(bus.js, MeetingEnded, "acme", "m")
    with pytest.raises(Retryable, match="MEETINGS did not answer"):
        [found async for found in all_events(bus.nc, MeetingEnded)]


async def test_what_no_stream_holds_cannot_be_asked_for(bus: Bus) -> None:
    with pytest.raises(ValueError, match="no stream holds it"):
        await last_event_on(bus.js, SttInterim, subject_of(SttInterim, "acme", "m", "TR_1", "u1"))
