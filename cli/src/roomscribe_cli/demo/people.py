"""The four people: a process of its own that joins the LiveKit room as each of them and speaks their lines.

Reads one JSON object from standard input (`Cast`), writes one JSON line per thing that happened (`Happened`) to
standard output. It is a process of its own because the LiveKit SDK may abort while an interpreter exits, which must
not decide the exit status of the command.
"""

import asyncio
import logging
import os
import sys
import time
from typing import Literal

import numpy as np
from livekit import rtc
from livekit.rtc._proto.room_pb2 import AudioEncoding  # the SDK has no public name for it
from numpy.typing import NDArray
from pydantic import BaseModel

from roomscribe_cli.demo.script import Line, Script, clip, spoken_s

RATE = 48_000
_FRAME = RATE // 50
_BITRATE = 48_000
"""What a browser publishes a microphone with: the default audio preset of livekit-client."""
_JOIN_S = 30.0
_NOISE = 6.0
"""A real microphone is never digitally silent: this much room noise (of 32767) is always there."""


class Cast(BaseModel):
    """Where to go and how: `tokens` by identity."""

    url: str
    tokens: dict[str, str]
    script: Script


What = Literal["joins", "joined", "began", "speaks", "spoke", "leaves", "left"]


class Happened(BaseModel):
    """`at` is Unix time. `began`: the script's second 0, once everybody who is there from the start has joined.

    `joins`, `joined`, and `leaves`, `left`: before and after the SDK was asked to connect, and to disconnect.
    `speaks`, `spoke`: the first and last sound of the script's line number `line`, counted from 1.
    """

    what: What
    at: float
    identity: str = ""
    line: int = 0


def _tell(what: What, at: float, identity: str = "", line: int = 0) -> None:
    print(Happened(what=what, at=at, identity=identity, line=line).model_dump_json(), flush=True)


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


class Stage:
    """The room everybody meets in; the script begins when all who are expected at its start have joined."""

    def __init__(self, cast: Cast) -> None:
        self._cast = cast
        self._awaited = {p.identity for p in cast.script.people if p.presence_s[0][0] == 0}
        self._began: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def attend(self, identity: str, presence_s: list[tuple[float, float]]) -> None:
        """All stays of one person, one after the other."""
        for begins_s, ends_s in presence_s:
            if begins_s > 0:
                await asyncio.sleep(max(0.0, await self._began + begins_s - time.time()))
            await self._stay(identity, ends_s)

    async def _stay(self, identity: str, ends_s: float) -> None:
        room = rtc.Room()
        _tell("joins", time.time(), identity)
        await asyncio.wait_for(room.connect(self._cast.url, self._cast.tokens[identity]), _JOIN_S)
        _tell("joined", time.time(), identity)
        source = rtc.AudioSource(RATE, 1, queue_size_ms=100)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
        options = rtc.TrackPublishOptions(
            source=rtc.TrackSource.SOURCE_MICROPHONE, audio_encoding=AudioEncoding(max_bitrate=_BITRATE)
        )
        await asyncio.wait_for(room.local_participant.publish_track(track, options), _JOIN_S)
        self._here(identity)
        await self._speak(source, identity, await asyncio.wait_for(asyncio.shield(self._began), _JOIN_S), ends_s)
        _tell("leaves", time.time(), identity)
        await asyncio.wait_for(room.disconnect(), _JOIN_S)
        _tell("left", time.time(), identity)

    def _here(self, identity: str) -> None:
        self._awaited.discard(identity)
        if not self._awaited and not self._began.done():
            self._began.set_result(time.time())
            _tell("began", self._began.result())

    async def _speak(self, source: rtc.AudioSource, identity: str, began: float, until_s: float) -> None:
        """Feeds the microphone in real time until the script's second `until_s`."""
        lines = self._cast.script.lines_of(identity)
        noise = np.random.default_rng(len(identity))
        second = time.time() - began
        sounds = self._sounds(identity, second)
        while second < until_s:
            samples = _frame(noise, lines, second)
            await source.capture_frame(rtc.AudioFrame(samples.tobytes(), RATE, 1, _FRAME))
            second += _FRAME / RATE
            while sounds and sounds[0][0] <= second:
                _, what, line = sounds.pop(0)
                _tell(what, time.time(), identity, line)
            await asyncio.sleep(max(0.0, began + second - time.time()))

    def _sounds(self, identity: str, from_s: float) -> list[tuple[float, What, int]]:
        """When each line of a person begins and ends to sound, from a second of the script on, in order."""
        sounds: list[tuple[float, What, int]] = []
        for number, line in enumerate(self._cast.script.lines, 1):
            begins_s, ends_s = spoken_s(line)
            if line.speaker == identity and begins_s >= from_s:
                sounds.append((begins_s, "speaks", number))
                sounds.append((ends_s, "spoke", number))
        return sorted(sounds)


async def _play(cast: Cast) -> None:
    for line in cast.script.lines:
        clip(line.file, RATE)
    stage = Stage(cast)
    async with asyncio.TaskGroup() as group:
        for person in cast.script.people:
            group.create_task(stage.attend(person.identity, person.presence_s))


def main() -> None:
    """Plays the cast given on standard input; exit status 0 once everybody left."""
    logging.getLogger("livekit").setLevel(logging.ERROR)  # at exit it warns of handles that it dropped itself
    asyncio.run(_play(Cast.model_validate_json(sys.stdin.read())))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
