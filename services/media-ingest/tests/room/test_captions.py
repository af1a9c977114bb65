import asyncio
import contextlib
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from roomscribe_common.contracts.base import Participant, SttModel, Track
from roomscribe_common.contracts.transcript import (
    Speaker,
    TranscriptFinal,
    TranscriptFinalData,
    TranscriptInterim,
    TranscriptInterimData,
)
from roomscribe_media_ingest.room.captions import CaptionNotSent, Captions

SUBJECT = "acme.mtg_1"
COMMON = {
    "revision": 1,
    "meeting_id": "mtg_1",
    "room": "kitchen",
    "participant": Participant(identity="ada", name="Ada"),
    "speaker": Speaker(id="ada", label="Ada", basis="track", confidence=1),
    "track": Track(id="TR_1", source="microphone"),
    "start_ms": 0,
    "end_ms": 1,
    "started_at": datetime.now(UTC),
    "language": "en",
    "confidence": 1,
    "stt": SttModel(provider="test", model="test"),
}


def interim(segment: str, text: str, version: int = 1) -> TranscriptInterim:
    data = TranscriptInterimData.model_validate({**COMMON, "segment_id": segment, "text": text, "version": version})
    subject = f"{TranscriptInterim.TYPE}.{SUBJECT}"
    return TranscriptInterim.new(id="i", source="test", subject=subject, tenant="acme", data=data)


def final(segment: str, text: str) -> TranscriptFinal:
    data = TranscriptFinalData.model_validate({**COMMON, "segment_id": segment, "text": text, "sequence": 1})
    subject = f"{TranscriptFinal.TYPE}.{SUBJECT}"
    return TranscriptFinal.new(id="f", source="test", subject=subject, tenant="acme", data=data)


class SlowRoom:
    """Takes a caption whenever `step` is called."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.traces: list[int] = []
        self.fails = False
        self._steps = asyncio.Semaphore(0)
        self.took = asyncio.Event()

    async def send_text(self, topic: str, text: str, *, sender: str, attributes: dict[str, str]) -> None:
        await self._steps.acquire()
        self.took.set()
        if self.fails:
            self.fails = False
            raise CaptionNotSent("the room is busy")
        self.traces.append(trace.get_current_span().get_span_context().trace_id)
        mark = "!" if attributes["lk.transcription_final"] == "true" else ""
        self.shown.append(f"{attributes['lk.segment_id']} {text}{mark}")

    async def step(self, count: int = 1) -> None:
        for _ in range(count):
            self.took.clear()
            self._steps.release()
            async with asyncio.timeout(5):
                await self.took.wait()
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def captions(room: SlowRoom) -> AsyncGenerator[Captions]:
    shown = Captions(room, TracerProvider().get_tracer("test"))
    task = asyncio.create_task(shown.run())
    yield shown
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_slow_room_is_shown_the_latest_words_of_each_segment_only():
    room = SlowRoom()
    async with captions(room) as shown:
        await shown.receive(interim("busy", "first"))
        await asyncio.sleep(0)
        for number in range(1, 50):
            await shown.receive(interim("a", f"a{number}", number))
            await shown.receive(interim("b", f"b{number}", number))
        await room.step(3)
    assert room.shown == ["busy first", "a a49", "b b49"]


async def test_finals_go_before_interims_and_end_their_own():
    room = SlowRoom()
    async with captions(room) as shown:
        await shown.receive(interim("busy", "first"))
        await asyncio.sleep(0)
        await shown.receive(interim("a", "to"))
        await shown.receive(interim("b", "yes"))
        await shown.receive(final("a", "Tomorrow."))
        await shown.receive(interim("a", "tom"))
        await room.step(3)
    assert room.shown == ["busy first", "a Tomorrow.!", "b yes"]


async def test_an_older_version_does_not_replace_a_newer_one():
    room = SlowRoom()
    async with captions(room) as shown:
        await shown.receive(interim("busy", "first"))
        await asyncio.sleep(0)
        await shown.receive(interim("a", "new", version=7))
        await shown.receive(interim("a", "old", version=6))
        await room.step(2)
    assert room.shown[1:] == ["a new"]


async def test_a_caption_the_room_refuses_does_not_stop_the_next(caplog: pytest.LogCaptureFixture):
    room = SlowRoom()
    room.fails = True
    async with captions(room) as shown:
        await shown.receive(final("a", "Secret plans."))
        await shown.receive(final("b", "Yes."))
        await room.step(2)
    assert room.shown == ["b Yes.!"]
    assert "caption not shown" in caplog.text
    assert "Secret" not in caplog.text


async def test_whoever_waits_for_the_last_words_waits_until_the_room_took_them():
    room = SlowRoom()
    async with captions(room) as shown:
        waiting = asyncio.create_task(shown.shown({"a", "b"}, 20))
        await shown.receive(interim("a", "to"))
        await shown.receive(final("a", "Tomorrow."))
        await shown.receive(interim("b", ""))
        await room.step()
        assert not waiting.done()
        await room.step()
        async with asyncio.timeout(5):
            await waiting
    assert room.shown == ["a Tomorrow.!", "b !"]


async def test_words_that_never_come_are_waited_for_no_longer_than_was_said():
    async with captions(SlowRoom()) as shown, asyncio.timeout(5):
        await shown.shown({"never"}, 0.05)
        await shown.shown({"never"}, -1)


async def test_a_caption_goes_on_in_the_trace_of_its_utterance():
    room = SlowRoom()
    tracer = TracerProvider().get_tracer("test")
    async with captions(room) as shown:
        with tracer.start_as_current_span("utterance") as span:
            await shown.receive(final("a", "Yes."))
        await room.step()
    assert room.traces == [span.get_span_context().trace_id]
