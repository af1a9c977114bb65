"""How soon an agent is in a room: ours by `POST` and by LiveKit's dispatch, LiveKit Agents', and a bare SDK join."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from livekit import api
from pydantic import JsonValue
from roomscribe_common.contracts.agent import AgentJoined
from roomscribe_common.contracts.dispatch import DispatchJob
from roomscribe_common.contracts.livekit import LivekitEvent
from roomscribe_common.contracts.meeting import MeetingRequested

from benchmarks.attendee import Order, Seen
from benchmarks.buslog import BusLog
from benchmarks.peers.worker import Peer, running_peer
from benchmarks.report import Findings, Goal
from benchmarks.spread import spread
from benchmarks.stack import Stack, own_stack
from benchmarks.talk import Talk, talk

MEETINGS = 20
OUR_AGENT_NAME = "roomscribe"
_IDENTITY = "roomscribe-"
"""Followed by the meeting's id."""
_WITHIN_S = 20.0
_STATE = {"lk.agent.state": "listening"}
"""What the agent shows itself by."""
_STAGES = ("asked_to_requested", "requested_to_issued", "issued_to_claimed", "claimed_to_shown", "shown_to_seen")
_VISITS = ("post", "dispatch", "peer", "bare")


@dataclass
class Visit:
    """Of one way into a room, in milliseconds, one entry a round."""

    seen: list[float] = field(default_factory=list[float])
    """From asking until a person in the room is told of the agent."""
    active: list[float] = field(default_factory=list[float])
    """From asking until LiveKit's webhook says that the agent has joined."""


@dataclass
class Times:
    """Everything of all rounds."""

    visits: dict[str, Visit] = field(default_factory=lambda: {name: Visit() for name in _VISITS})
    answered: list[float] = field(default_factory=list[float])
    bare_connect: list[float] = field(default_factory=list[float])
    stages: dict[str, list[float]] = field(default_factory=lambda: {name: list[float]() for name in _STAGES})


class Rounds:
    """Each round is one room, with a person in it who sees each of the others come, alone with it."""

    def __init__(
        self, stack: Stack, log: BusLog, lk: api.LiveKitAPI, peer: Peer, person: Talk[Seen], bare: Talk[Seen]
    ) -> None:
        self._stack, self._log, self._lk, self._peer = stack, log, lk, peer
        self._person, self._bare = person, bare
        self.times = Times()

    async def hold(self, number: int) -> None:
        """One round; who comes first changes with its number, so that none always has the fresh room."""
        room, url = f"dispatch-{number}", self._stack.livekit.url
        self._log.forget()
        await self._person.say(Order(url=url, token=self._stack.token(room, "person")))
        await self._person.until(lambda seen: seen.what == "connected", _WITHIN_S)
        visits: list[Callable[[str], Awaitable[None]]] = [self._post, self._dispatch, self._peers, self._bare_join]
        first = number % len(visits)
        for visit in visits[first:] + visits[:first]:
            await self._stack.at_rest()
            await self._peer.at_rest()
            await visit(room)
        await self._person.say(Order())
        await self._person.until(lambda seen: seen.what == "left", _WITHIN_S)

    async def _post(self, room: str) -> None:
        asked = time.time()
        meeting = await self._stack.gateway.start(room, "dispatch")
        self.times.answered.append(_ms(time.time() - asked))
        came = await self._came("post", room, asked)
        await self._stages(meeting, asked, came.at)
        await self._stack.gateway.end(meeting)
        await self._gone()

    async def _dispatch(self, room: str) -> None:
        asked = time.time()
        request = api.CreateAgentDispatchRequest(agent_name=OUR_AGENT_NAME, room=room)
        await self._lk.agent_dispatch.create_dispatch(request)
        came = await self._came("dispatch", room, asked)
        await self._stack.gateway.end(came.identity.removeprefix(_IDENTITY))
        await self._gone()

    async def _peers(self, room: str) -> None:
        asked = time.time()
        dispatch = await self._peer.send(room)
        await self._came("peer", room, asked)
        await self._peer.recall(dispatch, room)
        await self._gone()

    async def _bare_join(self, room: str) -> None:
        token = self._stack.token(room, "bare", "agent")
        await self._bare.say(Order(url=self._stack.livekit.url, token=token, attributes=_STATE))
        began = await self._bare.until(lambda seen: seen.what == "connecting", _WITHIN_S)
        connected = await self._bare.until(lambda seen: seen.what == "connected", _WITHIN_S)
        self.times.bare_connect.append(_ms(connected.at - began.at))
        await self._came("bare", room, began.at)
        await self._bare.say(Order())
        await self._gone()

    async def _came(self, way: str, room: str, asked: float) -> Seen:
        came = await self._person.until(lambda seen: seen.what == "came" and seen.agent, _WITHIN_S)
        visit = self.times.visits[way]
        visit.seen.append(_ms(came.at - asked))
        joined = await self._log.webhook("participant_joined", room, agent=True, after=asked, timeout_s=_WITHIN_S)
        visit.active.append(_ms(joined.at - asked))
        return came

    async def _gone(self) -> None:
        await self._person.until(lambda seen: seen.what == "went" and seen.agent, _WITHIN_S)

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
        peer = await ends.enter_async_context(running_peer(stack.livekit))
        lk = await ends.enter_async_context(stack.livekit_api())
        log = BusLog(stack.nc)
        await log.listen(MeetingRequested, DispatchJob, AgentJoined, LivekitEvent)
        person = await ends.enter_async_context(talk("benchmarks.attendee", Seen))
        bare = await ends.enter_async_context(talk("benchmarks.attendee", Seen))
        rounds = Rounds(stack, log, lk, peer, person, bare)
        # The first round loads libraries and opens connections on every side; it is not counted.
        await rounds.hold(0)
        rounds.times = Times()
        for number in range(1, meetings + 1):
            await rounds.hold(number)
        return rounds.times


def measure(quick: bool) -> Findings:
    """20 rooms on a warm stack, one after the other."""
    times = asyncio.run(_measure(3 if quick else MEETINGS))
    seen = {name: spread(visit.seen, 1) for name, visit in times.visits.items()}
    active = {name: spread(visit.active, 1) for name, visit in times.visits.items()}
    above = [ours - bare for ours, bare in zip(times.visits["post"].seen, times.visits["bare"].seen, strict=True)]
    return Findings(
        goals=[*(_posted(seen, percent, limit) for percent, limit in (("p50", 140), ("p95", 200))), _ahead(active)],
        figures={
            "to_seen_ms": _plain(seen),
            "to_active_ms": _plain(active),
            "post_above_bare_join_ms": {**spread(above, 1)},
            "post_to_answer_ms": {**spread(times.answered, 1)},
            "bare_sdk_connect_ms": {**spread(times.bare_connect, 1)},
            "post_stages_ms": {name: {**spread(values, 1)} for name, values in times.stages.items()},
        },
    )


def _posted(seen: dict[str, dict[str, float]], percent: str, limit: float) -> Goal:
    ours, peer, bare = (seen[name][percent] for name in ("post", "peer", "bare"))
    what = f"POST to a person sees the agent, {percent} (peer: dispatch to seen)"
    return Goal(what=what, unit="ms", value=ours, limit=limit, peer=peer, bare=bare)


def _ahead(active: dict[str, dict[str, float]]) -> Goal:
    """By the way LiveKit dispatches, we are to be there sooner than its own agents."""
    peer, what = active["peer"]["p50"], "LiveKit's dispatch to agent active, p50 (goal: the peer's)"
    return Goal(
        what=what, unit="ms", value=active["dispatch"]["p50"], limit=peer, peer=peer, bare=active["bare"]["p50"]
    )


def _plain(spreads: dict[str, dict[str, float]]) -> dict[str, JsonValue]:
    return {name: {**each} for name, each in spreads.items()}
