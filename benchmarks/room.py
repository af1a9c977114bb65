"""Memory and CPU of one room process, with four people in the room: in conversation, and all silent."""

import asyncio
import time

from pydantic import JsonValue
from roomscribe_cli.demo.script import Line, Script, clip
from roomscribe_common.contracts.agent import AgentJoined
from roomscribe_common.contracts.audio import SAMPLE_RATE

from benchmarks.buslog import BusLog
from benchmarks.crowd import Crowd, gathered
from benchmarks.report import Findings, Goal
from benchmarks.spread import percentile
from benchmarks.stack import Stack, own_stack
from benchmarks.usage import CpuWatch, memory_mb

LENGTH_S = 60.0
_TALKERS = 3
_FIRST_S = 1.5
_PAUSE_S = 0.6
_SETTLED_S = 2.0
_LOOK_EVERY_S = 1.0


def conversation(script: Script, length_s: float) -> list[Line]:
    """The script's clips, again and again, by three of its people in turn, one at a time."""
    lines: list[Line] = []
    at_s = _FIRST_S
    while True:
        said = script.lines[len(lines) % len(script.lines)]
        takes_s = len(clip(said.file, SAMPLE_RATE)) / SAMPLE_RATE
        if at_s + takes_s + _FIRST_S > length_s:
            return lines
        speaker = script.people[len(lines) % _TALKERS].identity
        lines.append(said.model_copy(update={"speaker": speaker, "at_s": at_s}))
        at_s += takes_s + _PAUSE_S


def _scene(title: str, lines: list[Line], length_s: float) -> Script:
    script = Script.load()
    people = [person.model_copy(update={"presence_s": [(0.0, length_s)]}) for person in script.people]
    return script.model_copy(update={"title": title, "people": people, "lines": lines})


async def _watch(stack: Stack, crowd: Crowd, length_s: float) -> dict[str, JsonValue]:
    """From two seconds after everybody is there until two seconds before they leave."""
    pid = stack.processes()[f"room-{crowd.meeting}"]
    await asyncio.sleep(max(0.0, crowd.began + _SETTLED_S - time.time()))
    began, watch = time.monotonic(), CpuWatch({"room": pid})
    samples = list[dict[str, float]]()
    while time.time() + _LOOK_EVERY_S < crowd.began + length_s - _SETTLED_S:
        samples.append(memory_mb(pid))
        await asyncio.sleep(_LOOK_EVERY_S)
    minutes = len(crowd.script.people) * (time.monotonic() - began) / 60
    return {
        "cpu_s_per_track_minute": round(watch.used_s()["room"] / minutes, 3),
        "track_minutes": round(minutes, 2),
        "lines_spoken": len(crowd.script.lines),
        **{
            f"{kind}_mb_{name}": round(percentile([sample[kind] for sample in samples], percent), 1)
            for kind in ("pss", "uss", "rss")
            for name, percent in (("p50", 50), ("worst", 100))
        },
    }


async def _measure(length_s: float) -> dict[str, dict[str, JsonValue]]:
    scenes = {"conversation": conversation(Script.load(), length_s), "silent": list[Line]()}
    found: dict[str, dict[str, JsonValue]] = {}
    async with own_stack() as stack:
        log = BusLog(stack.nc)
        await log.listen(AgentJoined)
        for name, lines in scenes.items():
            async with gathered(stack, log, f"room-{name}", _scene(name, lines, length_s)) as crowd:
                found[name] = await _watch(stack, crowd, length_s)
                await crowd.over()
    return found


def measure(quick: bool) -> Findings:
    """A minute of three people talking in turn beside a silent one, and a minute of four silent ones."""
    found = asyncio.run(_measure(12.0 if quick else LENGTH_S))
    talking, silent = found["conversation"], found["silent"]
    return Findings(
        goals=[
            _goal("room process in a room of four, PSS", "MB", talking["pss_mb_worst"], 50),
            _goal("conversation, CPU per track-minute", "s", talking["cpu_s_per_track_minute"], 1.8),
            _goal("silent microphones, CPU per track-minute", "s", silent["cpu_s_per_track_minute"], 1.3),
        ],
        figures={"conversation": talking, "silent": silent},
    )


def _goal(what: str, unit: str, value: JsonValue, limit: float) -> Goal:
    assert isinstance(value, float)
    return Goal(what=what, unit=unit, value=value, limit=limit)
