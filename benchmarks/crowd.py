"""The demonstration's people in a room, for as long as a script lasts; with our agent, or somebody else's."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from roomscribe_cli.demo.people import Cast, Happened
from roomscribe_cli.demo.script import Line, Person, Script, clip, spoken_s
from roomscribe_common.contracts.agent import AgentJoined
from roomscribe_common.contracts.audio import SAMPLE_RATE

from benchmarks.buslog import BusLog
from benchmarks.pairing import Span
from benchmarks.stack import Stack
from benchmarks.talk import Talk, talk

_BEGIN_S = 60.0
_FIRST_S = 1.5


@dataclass(frozen=True)
class People:
    """`began` is the Unix time of the script's second 0."""

    began: float
    script: Script
    talk: Talk[Happened]

    async def over(self) -> None:
        """Returns when the last of them has left."""
        for _ in range(sum(len(person.presence_s) for person in self.script.people)):
            await self.talk.until(lambda happened: happened.what == "left", self.script.end_s + _BEGIN_S)

    def track_minutes(self) -> float:
        """Minutes of published microphone so far, over all who have left."""
        joined: dict[str, float] = {}
        seconds = 0.0
        for happened in self.talk.said:
            if happened.what == "joined":
                joined[happened.identity] = happened.at
            elif happened.what == "left":
                seconds += happened.at - joined[happened.identity]
        return seconds / 60

    def lines(self) -> list[Span]:
        """Who speaks, from when to when by the clock, without the silence around each clip."""
        spoken = [(line.speaker, *spoken_s(line)) for line in self.script.lines]
        return [Span(speaker, self.began + begins, self.began + ends) for speaker, begins, ends in spoken]

    def lines_end_s(self) -> float:
        """The second of the script at which the last of them has spoken."""
        return max(spoken_s(line)[1] for line in self.script.lines)

    def second(self) -> float:
        """Of the script, now."""
        return time.time() - self.began


@dataclass(frozen=True)
class Crowd(People):
    """With our agent."""

    meeting: str


@asynccontextmanager
async def people(stack: Stack, room: str, script: Script) -> AsyncGenerator[People]:
    """They are in the room, about to speak."""
    tokens = {person.identity: stack.token(room, person.identity) for person in script.people}
    async with talk("roomscribe_cli.demo.people", Happened) as said:
        await said.say(Cast(url=stack.livekit.url, tokens=tokens, script=script), last=True)
        began = await said.until(lambda happened: happened.what == "began", _BEGIN_S)
        yield People(began.at, script, said)


@asynccontextmanager
async def gathered(stack: Stack, log: BusLog, room: str, script: Script) -> AsyncGenerator[Crowd]:
    """A new meeting, its agent there and its people about to speak; ended when the block is left.

    `log` must listen to `AgentJoined`.
    """
    meeting = await stack.gateway.start(room, script.title)
    await log.first(AgentJoined, meeting)
    async with people(stack, room, script) as those:
        yield Crowd(those.began, script, those.talk, meeting)
    await stack.gateway.end(meeting)
    await stack.at_rest()


def scene(title: str, count: int, talkers: int, length_s: float, pause_s: float) -> Script:
    """`count` people who are there all the time, of whom the first `talkers` speak in turn, one at a time.

    They are the demonstration's, and more like them; they say its lines, again and again.
    """
    script = Script.load()
    everybody = [_like(script.people[number % len(script.people)], number, length_s) for number in range(count)]
    lines: list[Line] = []
    at_s = _FIRST_S
    while talkers:
        said = script.lines[len(lines) % len(script.lines)]
        takes_s = len(clip(said.file, SAMPLE_RATE)) / SAMPLE_RATE
        if at_s + takes_s + _FIRST_S > length_s:
            break
        lines.append(said.model_copy(update={"speaker": everybody[len(lines) % talkers].identity, "at_s": at_s}))
        at_s += takes_s + pause_s
    return script.model_copy(update={"title": title, "people": everybody, "lines": lines})


def _like(person: Person, number: int, length_s: float) -> Person:
    return person.model_copy(update={"identity": f"{person.identity}-{number}", "presence_s": [(0.0, length_s)]})
