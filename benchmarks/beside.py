"""One meeting after the other with our agent and with LiveKit's: same script, same room server, same speech model.

Everything is measured where a third participant is: what they read, and what they hear, on which the speech model by
itself then shows how many words could have been right.
"""

import asyncio
import tempfile
import wave
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import jiwer
import numpy as np
from numpy.typing import NDArray
from roomscribe_cli.demo.script import Script
from roomscribe_common.contracts.agent import AgentJoined
from roomscribe_common.contracts.livekit import LivekitEvent
from roomscribe_stt_worker.engines.moonshine import Moonshine
from roomscribe_stt_worker.engines.protocol import Clip

from benchmarks.audience import RATE, Heard, Order
from benchmarks.buslog import BusLog
from benchmarks.captions import Caption, Read, of_lines, said
from benchmarks.crowd import People, gathered, people
from benchmarks.pairing import Span
from benchmarks.peers.worker import Peer
from benchmarks.segmentation import words
from benchmarks.stack import Stack
from benchmarks.talk import Talk, talk
from benchmarks.usage import CpuWatch, TreeWatch

_JOIN_S = 60.0
_SETTLE_S = 3.0
"""After the last person has left, for words that are still under way."""
_BEFORE_S = 0.25
"""What is heard of a line begins at most so much before it is spoken, as the clocks of both ends see it,"""
_NEVER = 1e12
"""and may be late; but its speaker says nothing else before their next line."""
_LOUD = 0.01
"""Room noise is far below."""
_AROUND_S = 0.3


@dataclass(frozen=True)
class Held:
    """One meeting. `cpu_s` by process, `memory_mb` is what the agent's side took more than at rest."""

    reads: list[Read]
    truth: list[str]
    understood: list[str]
    bare: list[str]
    cpu_s: dict[str, float]
    memory_mb: float
    track_minutes: float


@asynccontextmanager
async def _reader(stack: Stack, room: str, folder: str) -> AsyncGenerator[Talk[Heard]]:
    """Somebody in the room who reads all captions and keeps all that is heard in `folder`."""
    async with talk("benchmarks.audience", Heard) as reader:
        token = stack.token(room, "reader")
        await reader.say(Order(url=stack.livekit.url, token=token, captions=True, keep=folder))
        await reader.until(lambda heard: heard.what == "joined", _JOIN_S)
        yield reader


class Meetings:
    """Holds a script with either agent."""

    def __init__(self, stack: Stack, log: BusLog, engine: Moonshine, script: Script) -> None:
        """`log` must listen to `AgentJoined` and `LivekitEvent`."""
        self._stack, self._log, self._engine, self._script = stack, log, engine, script
        self._count = 0

    def _next_room(self, whose: str) -> str:
        self._count += 1
        self._log.forget()
        return f"{whose}-{self._count}"

    async def ours(self) -> Held:
        """With our agent, sent by `POST /v1/meetings`."""
        room, stack = self._next_room("ours"), self._stack
        before = self._memory_mb()
        async with gathered(stack, self._log, room, self._script) as crowd:
            pids = {**stack.ready.processes, "room": stack.processes()[f"room-{crowd.meeting}"]}
            watch = CpuWatch(pids)
            return await self._held(room, crowd, watch.used_s, lambda: self._memory_mb() - before)

    def _memory_mb(self) -> float:
        """Of all services but stt-worker: the workspace of its model breathes by more than a meeting takes."""
        return sum(mb for name, mb in self._stack.pss_mb().items() if name != "stt-worker")

    async def theirs(self, peer: Peer) -> Held:
        """With the peer's, sent by `CreateDispatch`."""
        room, before = self._next_room("theirs"), peer.pss_mb()
        dispatch = await peer.send(room)
        await self._log.webhook("participant_joined", room, agent=True)
        async with people(self._stack, room, self._script) as crowd:
            watch, decoded = TreeWatch(peer.pid), peer.decoded()[0]

            def used_s() -> dict[str, float]:
                used, model = watch.used_s(), peer.decoded()[0] - decoded
                job = used["busiest"] - model
                return {"worker": used["root"] + used["rest"], "job": job, "speech_model": model}

            held = await self._held(room, crowd, used_s, lambda: peer.pss_mb() - before)
        await peer.recall(dispatch, room)
        await peer.at_rest()
        return held

    async def _held(
        self,
        room: str,
        crowd: People,
        used_s: Callable[[], Mapping[str, float]],
        grown_mb: Callable[[], float],
    ) -> Held:
        with tempfile.TemporaryDirectory(prefix="roomscribe-bench-") as folder:
            async with _reader(self._stack, room, folder) as reader:
                left = asyncio.create_task(reader.until(lambda heard: heard.what == "left", self._script.end_s + 60))
                used_before, second = used_s(), crowd.second()
                await asyncio.sleep(max(0.0, self._script.end_s * 0.7 - crowd.second()))
                memory_mb = await asyncio.to_thread(grown_mb)
                await crowd.over()
                minutes = len(self._script.people) * (crowd.second() - second) / 60
                used = {name: seconds - used_before[name] for name, seconds in used_s().items()}
                await asyncio.sleep(_SETTLE_S)
                reader.close_input()
                await left
            captions = [
                Caption(h.at, h.identity, h.segment, h.text, h.final) for h in reader.said if h.what == "caption"
            ]
            bare = self._understood_bare(crowd.lines(), [heard for heard in reader.said if heard.what == "kept"])
        speakers = sorted({line.speaker for line in self._script.lines})
        truth = {who: " ".join(line.text for line in self._script.lines_of(who)) for who in speakers}
        return Held(
            reads=of_lines(crowd.lines(), captions),
            truth=[words(truth[who]) for who in speakers],
            understood=[words(said(who, captions)) for who in speakers],
            bare=[words(bare.get(who, "")) for who in speakers],
            cpu_s=used,
            memory_mb=memory_mb,
            track_minutes=minutes,
        )

    def _understood_bare(self, lines: list[Span], kept: list[Heard]) -> dict[str, str]:
        """What the engine makes of each line as the reader heard it, by speaker."""
        heard = {each.identity: (each.at, _samples(Path(each.text))) for each in kept}
        found: dict[str, str] = {}
        for line in lines:
            began, samples = heard[line.speaker]
            later = [other.begins for other in lines if other.speaker == line.speaker and other.begins > line.begins]
            first, last = (round((at - began - _BEFORE_S) * RATE) for at in (line.begins, min(later, default=_NEVER)))
            clip = Clip(spoken(samples[max(0, first) : last]), thorough=True)
            found[line.speaker] = f"{found.get(line.speaker, '')} {self._engine.transcribe([clip])[0].text}"
        return found


def spoken(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """From a little before the first loud sample to a little after the last; all of it where none is."""
    loud = np.flatnonzero(np.abs(samples) > _LOUD)
    if not len(loud):
        return samples
    around = round(_AROUND_S * RATE)
    return samples[max(0, int(loud[0]) - around) : int(loud[-1]) + 1 + around]


def _samples(path: Path) -> NDArray[np.float32]:
    with wave.open(str(path)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return pcm.astype(np.float32) / np.float32(32768)


def word_error_rate(truth: list[str], understood: list[str]) -> float:
    """Share of the words that are wrong."""
    return round(float(jiwer.wer(truth, understood)), 4)


async def listen(log: BusLog) -> None:
    """What `Meetings` needs of the bus."""
    await log.listen(AgentJoined, LivekitEvent)
