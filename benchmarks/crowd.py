"""The demonstration's people in a meeting's room, for as long as a script lasts."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from roomscribe_cli.demo.people import Cast, Happened
from roomscribe_cli.demo.script import Script
from roomscribe_common.contracts.agent import AgentJoined

from benchmarks.buslog import BusLog
from benchmarks.stack import Stack
from benchmarks.talk import Talk, talk

_BEGIN_S = 60.0


@dataclass(frozen=True)
class Crowd:
    """`began` is the Unix time of the script's second 0."""

    meeting: str
    began: float
    script: Script
    people: Talk[Happened]

    async def over(self) -> None:
        """Returns when the last of them has left."""
        for _ in range(sum(len(person.presence_s) for person in self.script.people)):
            await self.people.until(lambda happened: happened.what == "left", self.script.end_s + _BEGIN_S)

    def track_minutes(self) -> float:
        """Minutes of published microphone so far, over all who have left."""
        joined: dict[str, float] = {}
        seconds = 0.0
        for happened in self.people.said:
            if happened.what == "joined":
                joined[happened.identity] = happened.at
            elif happened.what == "left":
                seconds += happened.at - joined[happened.identity]
        return seconds / 60


@asynccontextmanager
async def gathered(stack: Stack, log: BusLog, room: str, script: Script) -> AsyncGenerator[Crowd]:
    """A new meeting, its agent there and its people about to speak; ended when the block is left.

    `log` must listen to `AgentJoined`.
    """
    meeting = await stack.gateway.start(room, script.title)
    await log.first(AgentJoined, meeting)
    tokens = {person.identity: stack.token(room, person.identity) for person in script.people}
    async with talk("roomscribe_cli.demo.people", Happened) as people:
        await people.say(Cast(url=stack.livekit.url, tokens=tokens, script=script), last=True)
        began = await people.until(lambda happened: happened.what == "began", _BEGIN_S)
        yield Crowd(meeting, began.at, script, people)
    await stack.gateway.end(meeting)
    await stack.at_rest()
