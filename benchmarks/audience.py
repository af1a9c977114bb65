"""One participant who says nothing, as a process of its own: hears every microphone, and reads the captions if told to.

The least the SDK makes possible of hearing: audio only, each track at 16 kHz mono in frames as our room process takes
them, and nothing done with them. So its CPU is the yardstick for ours. Reads one `Order` from standard input, writes
`Heard` lines to standard output; leaves at the end of its input, having kept what it heard if it was to.
"""

import asyncio
import os
import sys
import time
import wave
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from livekit import rtc
from pydantic import BaseModel

RATE = 16_000
FRAME_MS = 96
CAPTIONS = "lk.transcription"
_ANSWER_S = 30.0


class Order(BaseModel):
    """Which room to join. `captions`: tell of each; `keep`: a folder for what was heard, a WAV file a track."""

    url: str
    token: str
    captions: bool = False
    keep: str = ""


class Heard(BaseModel):
    """What happened at which Unix time.

    `caption`: one text stream, complete, said by `identity`. `kept`: `text` is a file of what `identity` said, whose
    first sample was heard at `at`.
    """

    what: Literal["joined", "caption", "kept", "left"]
    at: float
    identity: str = ""
    text: str = ""
    segment: str = ""
    final: bool = False


@dataclass
class _Kept:
    """A track so far. `began`: when its first sample was heard, had no frame been late."""

    frames: list[bytes] = field(default_factory=list[bytes])
    samples: int = 0
    began: float = float("inf")

    def add(self, frame: rtc.AudioFrame) -> None:
        self.samples += frame.samples_per_channel
        self.began = min(self.began, time.time() - self.samples / RATE)
        self.frames.append(bytes(frame.data))

    def write(self, path: Path) -> None:
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes(b"".join(self.frames))


def _tell(heard: Heard) -> None:
    print(heard.model_dump_json(), flush=True)


class Audience:
    """Listens and reads until it is told to leave."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._room = rtc.Room()
        self._tasks: set[asyncio.Task[None]] = set()
        self._kept: dict[str, _Kept] = {}

    async def attend(self) -> None:
        """Joins; returns once it has left and kept what it was to keep."""
        self._room.on("track_subscribed", self._hear)  # pyright: ignore[reportUnknownMemberType]  # its callbacks are untyped
        if self._order.captions:
            self._room.register_text_stream_handler(CAPTIONS, self._read)
        await asyncio.wait_for(self._room.connect(self._order.url, self._order.token), _ANSWER_S)
        _tell(Heard(what="joined", at=time.time()))
        await asyncio.to_thread(sys.stdin.read)
        for identity, kept in self._kept.items():
            path = Path(self._order.keep, f"{identity}.wav")
            kept.write(path)
            _tell(Heard(what="kept", at=kept.began, identity=identity, text=str(path)))
        await asyncio.wait_for(self._room.disconnect(), _ANSWER_S)
        _tell(Heard(what="left", at=time.time()))

    def _hear(self, track: rtc.Track, _: rtc.RemoteTrackPublication, who: rtc.RemoteParticipant) -> None:
        if isinstance(track, rtc.RemoteAudioTrack):
            self._begin(self._listen(track, who.identity))

    async def _listen(self, track: rtc.RemoteAudioTrack, identity: str) -> None:
        kept = self._kept.setdefault(identity, _Kept()) if self._order.keep else None
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=FRAME_MS)
        async for event in stream:
            if kept is not None:
                kept.add(event.frame)
        await stream.aclose()

    def _read(self, stream: rtc.TextStreamReader, identity: str) -> None:
        self._begin(self._tell_of(stream, identity))

    async def _tell_of(self, stream: rtc.TextStreamReader, identity: str) -> None:
        text, about = await stream.read_all(), stream.info.attributes or {}
        final = about.get("lk.transcription_final") == "true"
        segment = about.get("lk.segment_id", "")
        _tell(Heard(what="caption", at=time.time(), identity=identity, text=text, segment=segment, final=final))

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _attend(order: Order) -> None:
    await Audience(order).attend()  # made here: a room of the SDK belongs to the loop it is made in


def main() -> None:
    """Attends one room."""
    asyncio.run(_attend(Order.model_validate_json(sys.stdin.readline())))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
