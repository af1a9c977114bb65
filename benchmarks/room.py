"""Memory and CPU of one room process, with four people in the room: in conversation, and all silent.

A bare participant of the SDK hears the same tracks in the same minutes: what it takes is what the machine makes of it.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from pydantic import JsonValue
from roomscribe_common.contracts.agent import AgentJoined

from benchmarks.audience import Heard, Order
from benchmarks.buslog import BusLog
from benchmarks.crowd import Crowd, gathered, scene
from benchmarks.report import Findings, Goal
from benchmarks.spread import percentile
from benchmarks.stack import Stack, own_stack
from benchmarks.talk import Talk, talk
from benchmarks.usage import CpuWatch, memory_mb

LENGTH_S = 60.0
_PEOPLE, _TALKERS = 4, 3
_PAUSE_S = 0.6
_SETTLED_S = 2.0
_LOOK_EVERY_S = 2.0
_JOIN_S = 60.0


@asynccontextmanager
async def bare_hearer(stack: Stack, room: str) -> AsyncGenerator[Talk[Heard]]:
    """A process that hears everybody in the room and does nothing with it."""
    async with talk("benchmarks.audience", Heard) as bare:
        await bare.say(Order(url=stack.livekit.url, token=stack.token(room, "bare")))
        await bare.until(lambda heard: heard.what == "joined", _JOIN_S)
        yield bare


async def _watch(stack: Stack, crowd: Crowd, bare: Talk[Heard], length_s: float) -> dict[str, JsonValue]:
    """From two seconds after everybody is there until two seconds before they leave."""
    pid = stack.processes()[f"room-{crowd.meeting}"]
    await asyncio.sleep(max(0.0, crowd.began + _SETTLED_S - time.time()))
    began, watch = time.monotonic(), CpuWatch({"room": pid, "bare": bare.pid})
    samples, bare_pss = list[dict[str, float]](), 0.0
    while time.time() + _LOOK_EVERY_S < crowd.began + length_s - _SETTLED_S:
        samples.append(memory_mb(pid))
        bare_pss = max(bare_pss, memory_mb(bare.pid)["pss"])
        await asyncio.sleep(_LOOK_EVERY_S)
    minutes, used = len(crowd.script.people) * (time.monotonic() - began) / 60, watch.used_s()
    return {
        "cpu_s_per_track_minute": round(used["room"] / minutes, 3),
        "bare_cpu_s_per_track_minute": round(used["bare"] / minutes, 3),
        "times_the_bare": round(used["room"] / used["bare"], 3),
        "track_minutes": round(minutes, 2),
        "lines_spoken": len(crowd.script.lines),
        "bare_pss_mb_worst": round(bare_pss, 1),
        **{
            f"{kind}_mb_{name}": round(percentile([sample[kind] for sample in samples], percent), 1)
            for kind in ("pss", "uss", "rss")
            for name, percent in (("p50", 50), ("worst", 100))
        },
    }


async def _measure(length_s: float) -> dict[str, dict[str, JsonValue]]:
    found: dict[str, dict[str, JsonValue]] = {}
    async with own_stack() as stack:
        log = BusLog(stack.nc)
        await log.listen(AgentJoined)
        for name, talkers in {"conversation": _TALKERS, "silent": 0}.items():
            room = f"room-{name}"
            async with (
                gathered(stack, log, room, scene(name, _PEOPLE, talkers, length_s, _PAUSE_S)) as crowd,
                bare_hearer(stack, room) as bare,
            ):
                found[name] = await _watch(stack, crowd, bare, length_s)
                await crowd.over()
    return found


def measure(quick: bool) -> Findings:
    """A minute of three people talking in turn beside a silent one, and a minute of four silent ones."""
    found = asyncio.run(_measure(12.0 if quick else LENGTH_S))
    cpu, bare, times = "cpu_s_per_track_minute", "bare_cpu_s_per_track_minute", "times_the_bare"
    talking, silent = found["conversation"], found["silent"]
    return Findings(
        goals=[
            _goal(
                "room process in a room of four, PSS", "MB", 40, talking["pss_mb_worst"], talking["bare_pss_mb_worst"]
            ),
            _goal("room process in conversation, CPU a track-minute", "s", 1.5, talking[cpu], talking[bare]),
            _goal("room process, silent microphones, CPU a track-minute", "s", 1.3, silent[cpu], silent[bare]),
            _goal("room process in conversation, of a bare subscriber's CPU", "×", 1.3, talking[times], 1.0),
        ],
        figures={"conversation": talking, "silent": silent},
    )


def _goal(what: str, unit: str, limit: float, value: JsonValue, bare: JsonValue) -> Goal:
    assert isinstance(value, float)
    assert isinstance(bare, float)
    return Goal(what=what, unit=unit, value=value, limit=limit, bare=bare)
