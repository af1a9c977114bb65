"""Shows the transcript in the room, as LiveKit's own agents do. The room may be slow: nothing ever waits for it."""

import asyncio
import contextlib
import logging
from collections import OrderedDict, deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Protocol

from opentelemetry.context import Context, get_current
from opentelemetry.trace import Tracer
from roomscribe_common.contracts.transcript import SegmentBase, TranscriptFinal, TranscriptInterim

log = logging.getLogger(__name__)

TOPIC: Final = "lk.transcription"
_INTERIMS: Final = 64
"""Segments whose latest words wait; more people than speak at a time."""
_FINALS: Final = 500
_DONE: Final = 1_000
"""Segments remembered as final, so that a late interim does not reopen them."""
_SEND_S: Final = 5.0


class CaptionSink(Protocol):
    """The room's text streams."""

    async def send_text(self, topic: str, text: str, *, sender: str, attributes: dict[str, str]) -> None:
        """One complete text stream in the sender's name. Raises `CaptionNotSent`."""
        ...


class CaptionNotSent(Exception):
    """The room did not take a caption."""


@dataclass(frozen=True, slots=True)
class _Caption:
    segment: SegmentBase
    final: bool
    trace: Context


class Captions:
    """The latest words of each open segment, and every final once. A final with no text withdraws the segment."""

    def __init__(self, sink: CaptionSink, tracer: Tracer) -> None:
        self._sink = sink
        self._tracer = tracer
        self._interims: OrderedDict[str, _Caption] = OrderedDict()
        self._finals: deque[_Caption] = deque(maxlen=_FINALS)
        self._done: OrderedDict[str, bool] = OrderedDict()
        """Whether the final was sent."""
        self._more = asyncio.Event()
        self._sent = asyncio.Event()

    async def receive(self, event: TranscriptInterim | TranscriptFinal) -> None:
        """Takes one message of the meeting's transcript. Never waits."""
        final = isinstance(event, TranscriptFinal) or not event.data.text
        self._take(_Caption(event.data, final, get_current()))

    async def run(self) -> None:
        """Sends until cancelled: finals first, then the latest interims, the longest waiting first."""
        while True:
            await self._more.wait()
            self._more.clear()
            while (caption := self._next()) is not None:
                await self._send(caption)
                if caption.final:
                    self._remember(caption.segment.segment_id, sent=True)
                    self._sent.set()

    async def shown(self, segment_ids: Collection[str], timeout_s: float) -> None:
        """Waits, within the time, until the final of each of these segments was sent or withdrew it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not all(self._done.get(each) for each in segment_ids):
                    self._sent.clear()
                    await self._sent.wait()

    def _take(self, caption: _Caption) -> None:
        key = caption.segment.segment_id
        if key in self._done:
            return
        if caption.final:
            self._interims.pop(key, None)
            self._remember(key, sent=False)
            self._finals.append(caption)
        else:
            waiting = self._interims.get(key)
            if waiting is not None and _version(waiting) > _version(caption):
                return
            # In place: a segment with many updates must not lose its turn.
            self._interims[key] = caption
            if len(self._interims) > _INTERIMS:
                self._interims.popitem(last=False)
        self._more.set()

    def _remember(self, key: str, *, sent: bool) -> None:
        self._done[key] = sent
        if len(self._done) > _DONE:
            self._done.popitem(last=False)

    def _next(self) -> _Caption | None:
        if self._finals:
            return self._finals.popleft()
        return self._interims.popitem(last=False)[1] if self._interims else None

    async def _send(self, caption: _Caption) -> None:
        segment = caption.segment
        attributes = {
            "lk.segment_id": segment.segment_id,
            "lk.transcription_final": "true" if caption.final else "false",
            "lk.transcribed_track_id": segment.track.id,
        }
        with self._tracer.start_as_current_span("caption", context=caption.trace, record_exception=False):
            try:
                async with asyncio.timeout(_SEND_S):
                    await self._sink.send_text(
                        TOPIC, segment.text, sender=segment.participant.identity, attributes=attributes
                    )
            except (CaptionNotSent, TimeoutError) as error:
                log.warning("caption not shown", extra={"final": caption.final, "error": str(error) or "no answer"})


def _version(caption: _Caption) -> int:
    return getattr(caption.segment, "version", 0)
