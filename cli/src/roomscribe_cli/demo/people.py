"""The four people: a process of its own that joins the LiveKit room as each of them and speaks their lines.

Reads one JSON object from standard input (`Cast`), writes one JSON line per thing that happened (`Happened`) to
standard output. It is a process of its own because the LiveKit SDK may abort while an interpreter exits, which must
not decide the exit status of the command.
"""

import asyncio
import os
import sys
import time
from typing import Literal

import numpy as np
from livekit import rtc
from numpy.typing import NDArray
from pydantic import BaseModel

from roomscribe_cli.demo.script import Line, Script, clip

RATE = 48_000
_FRAME = RATE // 50
_NOISE = 6.0
"""A real microphone is never digitally silent: this much room noise (of 32767) is always there."""


class Cast(BaseModel):
    """Where to go and how: `tokens` by identity, `starts_at` the Unix time of the script's second 0."""

    url: str
    tokens: dict[str, str]
    starts_at: float
    script: Script


class Happened(BaseModel):
    """`at` is Unix time; `line` counts the script's lines from 1."""

    what: Literal["joined", "left", "line_began", "line_ended"]
    identity: str
    at: float
    line: int | None = None


def _tell(what: Literal["joined", "left", "line_began", "line_ended"], identity: str, line: int | None = None) -> None:
    happened = Happened(what=what, identity=identity, at=time.time(), line=line)
    print(happened.model_dump_json(exclude_none=True), flush=True)


def _frame(noise: np.random.Generator, lines: list[Line], second: float) -> NDArray[np.int16]:
    """What the microphone hears from `second` on, for one frame."""
    frame = noise.normal(0, _NOISE, _FRAME).astype(np.int16)
    for line in lines:
        samples = clip(line.file, RATE)
        offset = round((second - line.at_s) * RATE)
        if -_FRAME < offset < len(samples):
            low, high = max(offset, 0), min(offset + _FRAME, len(samples))
            frame[low - offset : high - offset] += samples[low:high]
    return frame


async def _speak(source: rtc.AudioSource, cast: Cast, identity: str, until_s: float) -> None:
    """Feeds the microphone in real time until the script's second `until_s`."""
    lines = cast.script.lines_of(identity)
    number = {id(line): i for i, line in enumerate(cast.script.lines, 1)}
    marks = sorted(
        [(line.at_s, "line_began", number[id(line)]) for line in lines]
        + [(line.at_s + len(clip(line.file, RATE)) / RATE, "line_ended", number[id(line)]) for line in lines]
    )
    noise = np.random.default_rng(len(identity))
    second = time.time() - cast.starts_at
    marks = [mark for mark in marks if mark[0] >= second]
    while second < until_s:
        samples = _frame(noise, lines, second)
        await source.capture_frame(rtc.AudioFrame(samples.tobytes(), RATE, 1, _FRAME))
        second += _FRAME / RATE
        while marks and marks[0][0] <= second:
            _, what, line = marks.pop(0)
            _tell("line_began" if what == "line_began" else "line_ended", identity, line)
        ahead = cast.starts_at + second - time.time()
        if ahead > 0:
            await asyncio.sleep(ahead)


async def _be_present(cast: Cast, identity: str, span: tuple[float, float]) -> None:
    """One stay in the room: join, publish a microphone, speak, leave."""
    await asyncio.sleep(max(0.0, cast.starts_at + span[0] - time.time()))
    room = rtc.Room()
    await asyncio.wait_for(room.connect(cast.url, cast.tokens[identity]), 20)
    _tell("joined", identity)
    source = rtc.AudioSource(RATE, 1, queue_size_ms=100)
    track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    await asyncio.wait_for(room.local_participant.publish_track(track, options), 20)
    await _speak(source, cast, identity, span[1])
    await asyncio.wait_for(room.disconnect(), 20)
    _tell("left", identity)


async def _attend(cast: Cast, identity: str, presence_s: list[tuple[float, float]]) -> None:
    for span in presence_s:
        await _be_present(cast, identity, span)


async def _play(cast: Cast) -> None:
    for line in cast.script.lines:
        clip(line.file, RATE)
    async with asyncio.TaskGroup() as group:
        for person in cast.script.people:
            group.create_task(_attend(cast, person.identity, person.presence_s))


def main() -> None:
    """Plays the cast given on standard input; exit status 0 once everybody left."""
    asyncio.run(_play(Cast.model_validate_json(sys.stdin.read())))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
