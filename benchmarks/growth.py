"""CPU and memory against the number of rooms and of people, and what of the memory is given back when meetings end."""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import psutil
from pydantic import JsonValue
from roomscribe_cli.demo.script import Script
from roomscribe_common.contracts.agent import AgentJoined
from roomscribe_common.contracts.transcript import TranscriptCompleted

from benchmarks.buslog import BusLog
from benchmarks.crowd import People, people, scene
from benchmarks.line import bend_percent, fit
from benchmarks.load import Load
from benchmarks.plot import plot
from benchmarks.report import Findings, Goal
from benchmarks.stack import SERVERS, Stack, own_stack
from benchmarks.usage import CpuWatch, memory_mb, pss_mb

COUNTS = (1, 2, 4, 8)
WINDOW_S = 20.0
_SLACK_S = 10.0
_SLACK_A_ROOM_S = 3.0
"""Rooms do not all begin at once: each has a process of people to start."""
_IDLE_PERCENT = 10.0
"""With less, the machine is full, and shows itself and not the product."""
_SETTLED_S = 2.0
_PAUSE_S = 0.6
_WAVES = 4
_WAVE_S = 7.0
_SETTLE_S = 3.0
_JOIN_S = 60.0
_MODEL = "stt-worker"
"""The workspace of its speech model breathes by some megabytes, whatever ends."""


@asynccontextmanager
async def _meetings(
    stack: Stack, log: BusLog, name: str, script: Script, count: int
) -> AsyncGenerator[dict[str, People]]:
    """So many rooms with our agent and people who speak, by meeting; over when the block is left."""
    async with AsyncExitStack() as ends:

        async def begin(number: int) -> tuple[str, People]:
            room = f"{name}-{number}"
            meeting = await stack.gateway.start(room, name)
            await log.first(AgentJoined, meeting, _JOIN_S)
            return meeting, await ends.enter_async_context(people(stack, room, script))

        begun = dict(await asyncio.gather(*(begin(number) for number in range(count))))
        yield begun
        for meeting in begun:
            await stack.gateway.end(meeting)
        for meeting in begun:
            await log.first(TranscriptCompleted, meeting, _JOIN_S)
        await stack.at_rest()
        log.forget()


@dataclass(frozen=True)
class Step:
    """So many rooms with so many people each, one of them speaking at a time, after a pause."""

    rooms: int
    each: int
    pause_s: float = _PAUSE_S

    @property
    def name(self) -> str:
        """Of its rooms."""
        return f"{self.rooms}-of-{self.each}-{self.pause_s}"


async def _load(stack: Stack, log: BusLog, step: Step, count: int, window_s: float) -> Load:
    """What a step takes, which counts as `count`."""
    name, rooms = step.name, step.rooms
    length_s = window_s + _SLACK_S + _SLACK_A_ROOM_S * rooms
    script = scene(name, step.each, step.each, length_s, step.pause_s)
    async with _meetings(stack, log, name, script, rooms) as crowd:
        began = max(those.began for those in crowd.values())
        await asyncio.sleep(max(0.0, began + _SETTLED_S - time.time()))
        attended = {key: pid for key, pid in stack.processes().items() if key in map(_room_process, crowd)}
        watch, at = CpuWatch({**stack.ready.processes, **attended}), time.monotonic()
        psutil.cpu_times_percent()  # the next call counts from here
        await asyncio.sleep(window_s / 2)
        services = {key: [pid] for key, pid in stack.ready.processes.items() if key not in SERVERS}
        memory = await asyncio.to_thread(_memory, {**services, "rooms": list(attended.values())})
        await asyncio.sleep(max(0.0, window_s - (time.monotonic() - at)))
        used, took = watch.used_s(), time.monotonic() - at
        idle_percent = psutil.cpu_times_percent().idle
        if any(those.second() > those.lines_end_s() for those in crowd.values()):
            raise RuntimeError(f"step {name}: some people were done speaking before the measurement was")
        for those in crowd.values():
            await those.over()
    cores = {key: value / took for key, value in used.items() if key not in attended}
    cores["rooms"] = sum(used[key] for key in attended) / took
    return Load(count=count, cores=cores, memory_mb=memory, idle_percent=idle_percent)


def as_far_as_the_machine_goes(loads: Sequence[Load]) -> list[Load]:
    """The steps before the first that left the machine no time to spare."""
    return list(itertools.takewhile(lambda load: load.idle_percent >= _IDLE_PERCENT, loads))


def _room_process(meeting: str) -> str:
    return f"room-{meeting}"


def _memory(pids: dict[str, list[int]]) -> dict[str, float]:
    return {name: pss_mb(each) for name, each in pids.items()}


@dataclass(frozen=True)
class Grown:
    """The steps, and the private memory of each service at rest after each wave of meetings."""

    by_rooms: list[Load]
    by_people: list[Load]
    at_rest_mb: list[dict[str, float]]
    meetings_a_wave: int


async def _measure(counts: Sequence[int], window_s: float, waves: int) -> Grown:
    async with own_stack() as stack:
        log = BusLog(stack.nc)
        await log.listen(AgentJoined, TranscriptCompleted)
        # Long utterances first: what the speech model needs for those it does not give back, and it does not count.
        await _load(stack, log, Step(min(2, max(counts)), 2, pause_s=0.0), 0, window_s)
        by_rooms = [await _load(stack, log, Step(count, 2), count, window_s) for count in counts]
        by_people = [await _load(stack, log, Step(1, count), count, window_s) for count in counts]
        size, at_rest = max(counts), list[dict[str, float]]()
        script = scene("wave", 1, 1, _WAVE_S, _PAUSE_S)
        for number in range(waves):
            async with _meetings(stack, log, f"wave-{number}", script, size) as crowd:
                for those in crowd.values():
                    await those.over()
            await asyncio.sleep(_SETTLE_S)
            # Private memory: what is shared is divided otherwise whenever a room process comes or goes.
            services = {key: pid for key, pid in stack.ready.processes.items() if key not in SERVERS}
            at_rest.append({name: memory_mb(pid)["uss"] for name, pid in services.items()})
        return Grown(by_rooms, by_people, at_rest, size)


def _points(loads: Sequence[Load], what: Callable[[Load], float]) -> list[tuple[float, float]]:
    return [(load.count, what(load)) for load in loads]


def kept_mb_per_meeting(at_rest_mb: Sequence[dict[str, float]], meetings: int, names: Collection[str]) -> float:
    """What each meeting leaves behind in these services: the line through what they have after each wave."""
    totals = [sum(mb for name, mb in each.items() if name in names) for each in at_rest_mb]
    return fit([(number * meetings, mb) for number, mb in enumerate(totals)]).each


def _kept(grown: Grown) -> list[Goal]:
    services = set(grown.at_rest_mb[0]) - {_MODEL}
    kept, model = (
        round(kept_mb_per_meeting(grown.at_rest_mb, grown.meetings_a_wave, names), 3) for names in (services, {_MODEL})
    )
    return [
        Goal(what="memory a meeting leaves in the services but stt-worker", unit="MB", value=kept, limit=0.1),
        Goal(what="memory a meeting leaves in stt-worker", unit="MB", value=model, limit=0.5),
    ]


def measure(quick: bool) -> Findings:
    """1, 2, 4 and 8 rooms of two people; 1, 2, 4 and 8 people in one room; then waves of 8 short meetings."""
    grown = asyncio.run(_measure((1, 2), 6.0, 2) if quick else _measure(COUNTS, WINDOW_S, _WAVES))
    by_rooms, by_people = as_far_as_the_machine_goes(grown.by_rooms), as_far_as_the_machine_goes(grown.by_people)
    kept = [*by_rooms, *by_people]
    series = {
        (name, against): _points(loads, what)
        for name, what in (("CPU", Load.our_cores), ("memory", Load.our_memory_mb))
        for against, loads in (("rooms", by_rooms), ("people", by_people))
    }
    return Findings(
        goals=[
            *(_straight(f"{name} against {against}", points) for (name, against), points in series.items()),
            *_kept(grown),
        ],
        figures={
            "lines": {f"{name} against {against}": _line(points) for (name, against), points in series.items()},
            "by_rooms_of_two": [load.model_dump() for load in by_rooms],
            "by_people": [load.model_dump() for load in by_people],
            "machine_full": [load.model_dump() for load in (*grown.by_rooms, *grown.by_people) if load not in kept],
            "services_at_rest_mb": [{name: round(mb, 1) for name, mb in each.items()} for each in grown.at_rest_mb],
            "meetings_a_wave": grown.meetings_a_wave,
        },
        pictures={
            f"growth-{name.lower()}": plot(
                f"{name} of the six services",
                "rooms of two people, or people in one room",
                unit,
                {against: points for (whose, against), points in series.items() if whose == name},
            )
            for name, unit in (("CPU", "cores"), ("memory", "MB"))
        },
    )


def _straight(what: str, points: list[tuple[float, float]]) -> Goal:
    off = round(bend_percent(points), 1)
    return Goal(what=f"{what}: farthest from a straight line", unit="%", value=off, limit=10)


def _line(points: list[tuple[float, float]]) -> dict[str, JsonValue]:
    line = fit(points)
    return {"base": round(line.base, 3), "each": round(line.each, 4)}
