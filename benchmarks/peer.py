"""Side by side with LiveKit Agents' own transcriber: what people read and when, what it costs, how much is wrong."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue
from roomscribe_cli.demo.script import Script
from roomscribe_stt_worker.engines.moonshine import Moonshine

from benchmarks.beside import Held, Meetings, listen, word_error_rate
from benchmarks.buslog import BusLog
from benchmarks.captions import Read
from benchmarks.crowd import scene
from benchmarks.peers.worker import running_peer
from benchmarks.report import CouldNotRun, Findings, Goal
from benchmarks.spread import percentile, spread
from benchmarks.stack import EDGE, SERVERS, Stack, own_stack
from benchmarks.usage import CpuWatch

LENGTH_S = 73.0
_PEOPLE = 4
_PAUSE_S = 0.8
_LONGEST_LINE_S = 5.5
_WARM_S = 20.0
_IDLE_S = 10.0
_ORDER = ("ours", "theirs", "theirs", "ours", "ours", "theirs")
"""Neither is always the first, as the machine's share of its host changes."""


@dataclass
class Measured:
    """Meetings of ours, of ours without interims, of theirs; and CPU seconds a minute of ours with nobody there."""

    ours: list[Held] = field(default_factory=list[Held])
    plain: list[Held] = field(default_factory=list[Held])
    theirs: list[Held] = field(default_factory=list[Held])
    idle_cpu_s: dict[str, float] = field(default_factory=dict[str, float])


async def _measure(script: Script, order: Sequence[str]) -> Measured:
    measured, engine = Measured(), Moonshine()
    async with own_stack() as stack, running_peer(stack.livekit) as peer:
        meetings = await _meetings(stack, engine, script)
        measured.idle_cpu_s = await _idle(stack)
        for whose in order:
            if whose == "ours":
                measured.ours.append(await meetings.ours())
            else:
                measured.theirs.append(await meetings.theirs(peer))
    async with own_stack({"ROOMSCRIBE_STT_INTERIMS": "false"}) as stack:
        meetings = await _meetings(stack, engine, script)
        measured.plain.append(await meetings.ours())
    return measured


async def _meetings(stack: Stack, engine: Moonshine, script: Script) -> Meetings:
    """Ready to be held, after one that does not count: what services load at their first is not of any meeting.

    In it somebody speaks without a rest, for the speech model keeps the memory that long utterances need.
    """
    log = BusLog(stack.nc)
    await listen(log)
    await Meetings(stack, log, engine, scene("warm", 1, 1, _WARM_S, 0.0)).ours()
    return Meetings(stack, log, engine, script)


async def _idle(stack: Stack) -> dict[str, float]:
    watch = CpuWatch(stack.ready.processes)
    await asyncio.sleep(_IDLE_S)
    return {name: round(seconds * 60 / _IDLE_S, 3) for name, seconds in watch.used_s().items()}


def _reads(held: Sequence[Held], what: Callable[[Read], float | None]) -> list[float]:
    values = (what(read) for each in held for read in each.reads)
    return [value for value in values if value is not None]


def _spread(values: Sequence[float]) -> dict[str, JsonValue]:
    return {**spread(values, 0)} if values else {"n": 0}


def _figures(held: Sequence[Held]) -> dict[str, JsonValue]:
    truth, understood = ([text for each in held for text in getattr(each, name)] for name in ("truth", "understood"))
    minutes = sum(each.track_minutes for each in held)
    names = held[0].cpu_s
    cpu = {name: round(sum(each.cpu_s[name] for each in held) / minutes, 3) for name in names}
    finals = _reads(held, lambda read: read.final_ms)
    return {
        "meetings": len(held),
        "end_of_speech_to_caption_ms": _spread(finals),
        "lines_without_final": sum(len(each.reads) for each in held) - len(finals),
        "start_of_speech_to_first_words_ms": _spread(_reads(held, lambda read: read.words_ms)),
        "from_one_interim_to_the_next_ms": _spread(
            [ms for each in held for read in each.reads for ms in read.between_ms]
        ),
        "word_error_rate": word_error_rate(truth, understood),
        "word_error_rate_bare": word_error_rate(truth, [text for each in held for text in each.bare]),
        "cpu_s_per_track_minute": {**cpu},
        "memory_mb_per_meeting": [round(each.memory_mb, 1) for each in held],
        "track_minutes": round(minutes, 2),
    }


def _cpu(held: Sequence[Held], wanted: Callable[[str], bool]) -> float:
    minutes = sum(each.track_minutes for each in held)
    seconds = sum(value for each in held for name, value in each.cpu_s.items() if wanted(name))
    return round(seconds / minutes, 3)


def _six(name: str) -> bool:
    return name not in {*SERVERS, EDGE}


def _lost_points(held: Sequence[Held]) -> float:
    """Percentage points of word errors above those of the bare engine on what was heard in the same meetings."""
    truth = [text for each in held for text in each.truth]
    ours = word_error_rate(truth, [text for each in held for text in each.understood])
    return round(100 * (ours - word_error_rate(truth, [text for each in held for text in each.bare])), 2)


def _at(values: Sequence[float], percent: float) -> float:
    return round(percentile(values, percent), 0)


def _times(ours: list[Held], theirs: list[Held]) -> list[Goal]:
    finals, peers = _reads(ours, lambda read: read.final_ms), _reads(theirs, lambda read: read.final_ms)
    firsts, peer_firsts = _reads(ours, lambda read: read.words_ms), _reads(theirs, lambda read: read.words_ms)
    if not (finals and peers and firsts and peer_firsts):
        raise CouldNotRun("nobody read a final of both")
    steps = [ms for each in ours for read in each.reads for ms in read.between_ms]
    final, first = "end of speech to final at another participant", "start of speech to first words there"
    return [
        Goal(what=f"{final}, p50", unit="ms", value=_at(finals, 50), limit=450, peer=_at(peers, 50)),
        Goal(what=f"{final}, p95", unit="ms", value=_at(finals, 95), limit=800, peer=_at(peers, 95)),
        Goal(what=f"{first}, p50", unit="ms", value=_at(firsts, 50), limit=500, peer=_at(peer_firsts, 50)),
        Goal(
            what="from one interim to the next, p50 (none: as long as the longest line)",
            unit="ms",
            value=_at(steps, 50) if steps else 1000 * _LONGEST_LINE_S,
            limit=500,
        ),
    ]


def _costs(ours: list[Held], plain: list[Held], theirs: list[Held]) -> list[Goal]:
    room, peer = "a track-minute of conversation", _cpu(theirs, lambda _: True)
    room_cpu, job_cpu = _cpu(ours, lambda name: name == "room"), _cpu(theirs, lambda name: name == "job")
    memory, peer_memory = (_at([each.memory_mb for each in held], 50) for held in (ours, theirs))
    process = f"room process, CPU {room} (peer: its job without the speech model)"
    services = "all six services {} interims, CPU " + room
    return [
        Goal(what=process, unit="s", value=room_cpu, limit=1.5, peer=job_cpu),
        Goal(what=services.format("without"), unit="s", value=_cpu(plain, _six), limit=2.0, peer=peer),
        Goal(what=services.format("with"), unit="s", value=_cpu(ours, _six), limit=2.5),
        Goal(
            what="memory a meeting, PSS of all but stt-worker (peer: of its whole tree)",
            unit="MB",
            value=memory,
            limit=40,
            peer=peer_memory,
        ),
    ]


def _words(ours: list[Held], theirs: list[Held]) -> Goal:
    what = "word error rate above the bare engine's on the same audio"
    return Goal(what=what, unit="points", value=_lost_points(ours), limit=1, peer=_lost_points(theirs), bare=0)


def measure(quick: bool) -> Findings:
    """Four people, of whom one speaks at a time; three meetings each, and one of ours without interims."""
    length_s = 24.0 if quick else LENGTH_S
    script = scene("side by side", _PEOPLE, _PEOPLE, length_s, _PAUSE_S)
    measured = asyncio.run(_measure(script, _ORDER[:2] if quick else _ORDER))
    ours, theirs = measured.ours, measured.theirs
    return Findings(
        goals=[*_times(ours, theirs), *_costs(ours, measured.plain, theirs), _words(ours, theirs)],
        figures={
            "ours": _figures(ours),
            "ours_without_interims": _figures(measured.plain),
            "peer": _figures(theirs),
            "idle_cpu_s_per_minute": {**measured.idle_cpu_s},
        },
    )
