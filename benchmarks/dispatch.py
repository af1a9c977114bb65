"""From `POST /v1/meetings` to the moment a person in the room sees the agent; a bare SDK join beside it."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from roomscribe_common.contracts.agent import AgentJoined
from roomscribe_common.contracts.dispatch import DispatchJob
from roomscribe_common.contracts.meeting import MeetingRequested

from benchmarks.attendee import Order, Seen
from benchmarks.buslog import BusLog
from benchmarks.report import Findings, Goal
from benchmarks.spread import spread
from benchmarks.stack import Stack, own_stack
from benchmarks.talk import Talk, talk

MEETINGS = 30
_SEEN_WITHIN_S = 20.0
_STATE = {"lk.agent.state": "listening"}
"""What the agent shows itself by."""
_STAGES = ("asked_to_requested", "requested_to_issued", "issued_to_claimed", "claimed_to_shown", "shown_to_seen")


@dataclass
class Times:
    """Milliseconds; one entry a round."""

    agent: list[float] = field(default_factory=list[float])
    answered: list[float] = field(default_factory=list[float])
    bare: list[float] = field(default_factory=list[float])
    bare_connect: list[float] = field(default_factory=list[float])
    stages: dict[str, list[float]] = field(default_factory=lambda: {name: list[float]() for name in _STAGES})


class Rounds:
    """Each round is one room, with a person in it who sees a bare participant come, and an agent."""

    def __init__(self, stack: Stack, log: BusLog, person: Talk[Seen], bare: Talk[Seen]) -> None:
        self._stack, self._log, self._person, self._bare = stack, log, person, bare
        self.times = Times()

    async def hold(self, number: int) -> None:
        """One round; who comes first changes with its number, so that neither always has the fresh room."""
        room, url = f"dispatch-{number}", self._stack.livekit.url
        await self._person.say(Order(url=url, token=self._stack.token(room, "person")))
        await self._person.until(lambda seen: seen.what == "connected", _SEEN_WITHIN_S)
        visits = [self._bare_visit, self._agent_visit]
        for visit in visits if number % 2 else reversed(visits):
            await self._stack.at_rest()
            await visit(room)
        await self._person.say(Order())
        await self._person.until(lambda seen: seen.what == "left", _SEEN_WITHIN_S)

    async def _bare_visit(self, room: str) -> None:
        token = self._stack.token(room, "bare", "agent")
        await self._bare.say(Order(url=self._stack.livekit.url, token=token, attributes=_STATE))
        began = await self._bare.until(lambda seen: seen.what == "connecting", _SEEN_WITHIN_S)
        connected = await self._bare.until(lambda seen: seen.what == "connected", _SEEN_WITHIN_S)
        came = await self._person.until(lambda seen: seen.what == "came" and seen.identity == "bare", _SEEN_WITHIN_S)
        self.times.bare.append(_ms(came.at - began.at))
        self.times.bare_connect.append(_ms(connected.at - began.at))
        await self._bare.say(Order())
        await self._person.until(lambda seen: seen.what == "went" and seen.identity == "bare", _SEEN_WITHIN_S)

    async def _agent_visit(self, room: str) -> None:
        asked = time.time()
        meeting = await self._stack.gateway.start(room, "dispatch")
        self.times.answered.append(_ms(time.time() - asked))
        came = await self._person.until(lambda seen: seen.what == "came" and seen.agent, _SEEN_WITHIN_S)
        self.times.agent.append(_ms(came.at - asked))
        await self._stages(meeting, asked, came.at)
        await self._stack.gateway.end(meeting)
        await self._person.until(lambda seen: seen.what == "went" and seen.agent, _SEEN_WITHIN_S)

    async def _stages(self, meeting: str, asked: float, seen: float) -> None:
        """Where the time went, from what the services say of it themselves."""
        requested = (await self._log.first(MeetingRequested, meeting)).event.data.requested_at.timestamp()
        issued = (await self._log.first(DispatchJob, meeting)).event.data.issued_at.timestamp()
        joined = (await self._log.first(AgentJoined, meeting)).event.data
        shown = joined.joined_at.timestamp()
        moments = [asked, requested, issued, shown - joined.connect_ms / 1000, shown, seen]
        for name, before, after in zip(_STAGES, moments[:-1], moments[1:], strict=True):
            self.times.stages[name].append(_ms(after - before))


def _ms(seconds: float) -> float:
    return seconds * 1000


async def _measure(meetings: int) -> Times:
    async with AsyncExitStack() as ends:
        stack = await ends.enter_async_context(own_stack())
        log = BusLog(stack.nc)
        await log.listen(MeetingRequested, DispatchJob, AgentJoined)
        person = await ends.enter_async_context(talk("benchmarks.attendee", Seen))
        bare = await ends.enter_async_context(talk("benchmarks.attendee", Seen))
        rounds = Rounds(stack, log, person, bare)
        # The first round loads libraries and opens connections on every side; it is not counted.
        await rounds.hold(0)
        rounds.times = Times()
        for number in range(1, meetings + 1):
            await rounds.hold(number)
        return rounds.times


def measure(quick: bool) -> Findings:
    """30 meetings on a warm stack, one after the other."""
    times = asyncio.run(_measure(3 if quick else MEETINGS))
    agent, bare = spread(times.agent, 1), spread(times.bare, 1)
    return Findings(
        goals=[Goal(what="POST to the person sees the agent, p50", unit="ms", value=agent["p50"], limit=200)],
        figures={
            "post_to_seen_ms": {**agent},
            "bare_join_to_seen_ms": {**bare},
            "bare_sdk_connect_ms": {**spread(times.bare_connect, 1)},
            "above_bare_join_ms": {**spread([a - b for a, b in zip(times.agent, times.bare, strict=True)], 1)},
            "post_to_answer_ms": {**spread(times.answered, 1)},
            "stages_ms": {name: {**spread(values, 1)} for name, values in times.stages.items()},
        },
    )
