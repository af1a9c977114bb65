"""What logs, traces and metrics show, and what they must never show."""

import io
import json
import logging
from collections.abc import Callable, Generator

import pytest
from opentelemetry import trace
from pydantic import ValidationError
from roomscribe_common import logs, telemetry
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.meeting import MeetingEnded
from roomscribe_common.delivery import Delivery
from roomscribe_common.service import Service
from roomscribe_common.settings import CommonSettings
from roomscribe_common.testing.service import running_service
from roomscribe_common.testing.until import until

MakeEnded = Callable[[int], MeetingEnded]


@pytest.fixture
def restored() -> Generator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("keep_pii", [False, True])
def test_pii_fields_are_dropped_unless_enabled(keep_pii: bool) -> None:
    out = io.StringIO()
    logs.configure("test", "i-1", keep_pii=keep_pii, stream=out)
    logging.getLogger("x").info("final stored", extra={"words": 3, "pii.text": "my salary is", "pii.name": "Ada"})
    line = json.loads(out.getvalue())
    assert (line["message"], line["words"], line["service"]) == ("final stored", 3, "test")
    assert [k for k in line if k.startswith("pii.")] == (["pii.text", "pii.name"] if keep_pii else [])


@pytest.mark.usefixtures("restored")
def test_console_form_is_one_line_with_the_fields() -> None:
    out = io.StringIO()
    logs.configure("test", "i-1", form="console", stream=out)
    with logs.bound(tenant="acme"):
        logging.getLogger("x").warning("publish retried", extra={"pii.text": "secret"})
    assert out.getvalue().endswith("warning test: publish retried tenant=acme\n")


def test_validation_error_is_told_without_its_values() -> None:
    with pytest.raises(ValidationError) as raised:
        MeetingEnded.model_validate({"specversion": "spoken words"})
    assert "specversion: " in logs.failure(raised.value)
    assert "spoken words" not in logs.failure(raised.value)


@pytest.mark.usefixtures("restored")
async def test_one_trace_runs_from_publisher_to_handler_and_its_log_lines_name_the_meeting(
    bus: Bus, settings: CommonSettings, ended: MakeEnded
) -> None:
    out = io.StringIO()
    logs.configure("test", "i-1", stream=out)
    seen: list[int] = []

    async def handle(_: MeetingEnded, __: Delivery) -> None:
        logging.getLogger("x").info("handled")
        seen.append(trace.get_current_span().get_span_context().trace_id)

    async def build(service: Service[CommonSettings]) -> None:
        service.consume("gateway-meetings", handle, MeetingEnded)

    async with running_service("gateway", settings, build) as service:
        with service.tracer.start_as_current_span("utterance") as span:
            await bus.publish(ended(1))
        await until(lambda: _is(len(seen) == 1))
    assert seen == [span.get_span_context().trace_id]
    (line,) = [json.loads(t) for t in out.getvalue().splitlines() if "handled" in t]
    assert (line["tenant"], line["meeting"]) == ("acme", "m")
    assert line["trace_id"] == trace.format_trace_id(seen[0])


async def test_metrics_name_the_kind_of_subject_and_no_id(bus: Bus, settings: CommonSettings, ended: MakeEnded) -> None:
    async def handle(_: MeetingEnded, __: Delivery) -> None:
        return

    async def build(service: Service[CommonSettings]) -> None:
        service.consume("gateway-meetings", handle, MeetingEnded)

    async with running_service("gateway", settings, build) as service:
        await bus.publish(ended(1))
        await until(lambda: _is(b"roomscribe_handler_seconds_count{" in service.telemetry.exposition()))
        text = service.telemetry.exposition().decode()
    assert 'outcome="ack",subject="meeting.v1.ended.<tenant>.<meeting>"' in text
    assert "acme" not in text


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("audio.v1.chunk.acme.m.TR_1.utt_1", "audio.v1.chunk"),
        ("stt.v1.final.acme.m.TR_1.utt_1", "stt.v1.final.<tenant>.<meeting>.<track>.<utterance>"),
        ("command.v1.room.leave.acme.m", "command.v1.room.leave"),
    ],
)
def test_label_of_a_subject_holds_no_id(subject: str, shown: str) -> None:
    assert telemetry.label(subject) == shown


async def _is(value: bool) -> bool:
    return value
