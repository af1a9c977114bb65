"""The demonstration's meeting, read from the bus: how long words take, where the time goes, what CPU it costs."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from roomscribe_cli.demo.script import Script, spoken_s
from roomscribe_common.contracts.agent import AgentJoined
from roomscribe_common.contracts.stt import SttFinal
from roomscribe_common.contracts.transcript import TranscriptCompleted, TranscriptFinal, TranscriptInterim

from benchmarks.buslog import BusLog, Timed
from benchmarks.crowd import Crowd, gathered
from benchmarks.pairing import Span, alone, of_line
from benchmarks.report import CouldNotRun, Findings, Goal
from benchmarks.spread import spread
from benchmarks.stack import Stack, own_stack
from benchmarks.usage import CpuWatch

MEETINGS = 2
_COMPLETE_S = 60.0


@dataclass(frozen=True, slots=True)
class Waited:
    """Of one line, in milliseconds. `total` is from the true end of its speech to its last final on the bus."""

    alone: bool
    total: float
    stt: float
    """The same to `stt.v1.final`."""
    first_interim: float | None
    """From the true start of its speech; None if it had none."""
    hangover: float
    decode: float
    processing: float
    """From the cut of the last audio to the transcript's final, without the decode."""
    attribution: float

    @property
    def before_cut(self) -> float:
        """The rest: the way through LiveKit, and by how much the voice model sees the end of speech late or early."""
        return self.total - self.hangover - self.decode - self.processing


@dataclass
class Measured:
    """Everything of all meetings."""

    lines: list[Waited] = field(default_factory=list[Waited])
    without_final: int = 0
    cpu_s: dict[str, float] = field(default_factory=dict[str, float])
    track_minutes: float = 0.0


def _shortened(script: Script) -> Script:
    """Its first three lines."""
    ends = spoken_s(script.lines[2])[1] + 2
    people = [person.model_copy(update={"presence_s": [(0.0, ends)]}) for person in script.people]
    return script.model_copy(update={"lines": script.lines[:3], "people": people})


def _segment(final: TranscriptFinal) -> Span:
    data = final.data
    begins = data.started_at.timestamp()
    return Span(data.participant.identity, begins, begins + (data.end_ms - data.start_ms) / 1000)


def _waited(line: Span, is_alone: bool, log: BusLog, meeting: str) -> Waited | None:
    """None if no final belongs to the line, or it does not say where its time went."""
    finals = [each for each in log.of(TranscriptFinal, meeting) if of_line(line, _segment(each.event))]
    if not finals:
        return None
    last = max(finals, key=lambda each: each.at)
    pieces = {each.event.data.segment_id for each in finals}
    interims = [
        each.at
        for each in log.of(TranscriptInterim, meeting)
        if each.event.data.segment_id in pieces and each.event.data.text
    ]
    heard = _stt_of(last, log, meeting)
    timing = heard.event.data.timing
    if timing is None:
        return None
    return Waited(
        alone=is_alone,
        total=1000 * (last.at - line.ends),
        stt=1000 * (heard.at - line.ends),
        first_interim=1000 * (min(interims) - line.begins) if interims else None,
        hangover=timing.hangover_ms,
        decode=timing.decode_ms,
        processing=timing.other_ms + 1000 * (last.at - heard.event.time.timestamp()),
        attribution=1000 * (last.at - heard.at),
    )


def _stt_of(final: Timed[TranscriptFinal], log: BusLog, meeting: str) -> Timed[SttFinal]:
    utterance = final.event.data.segment_id
    found = (each for each in log.of(SttFinal, meeting) if each.event.data.utterance.utterance_id == utterance)
    return next(found)


async def _hold(stack: Stack, log: BusLog, room: str, script: Script, measured: Measured) -> Crowd:
    async with gathered(stack, log, room, script) as crowd:
        pids = stack.processes()
        watch = CpuWatch({**stack.ready.processes, "room": pids[f"room-{crowd.meeting}"]})
        await crowd.over()
        for name, seconds in watch.used_s().items():
            measured.cpu_s[name] = measured.cpu_s.get(name, 0.0) + seconds
    measured.track_minutes += crowd.track_minutes()
    await log.first(TranscriptCompleted, crowd.meeting, _COMPLETE_S)
    return crowd


async def _measure(meetings: int, script: Script) -> Measured:
    measured = Measured()
    async with own_stack() as stack:
        log = BusLog(stack.nc)
        await log.listen(AgentJoined, SttFinal, TranscriptFinal, TranscriptInterim, TranscriptCompleted)
        for number in range(meetings):
            crowd = await _hold(stack, log, f"meeting-{number}", script, measured)
            lines = crowd.lines()
            waits = [_waited(line, alone(line, lines), log, crowd.meeting) for line in lines]
            measured.lines += [waited for waited in waits if waited is not None]
            measured.without_final += waits.count(None)
    return measured


def measure(quick: bool) -> Findings:
    """The whole script twice; the goals are for lines that nobody else speaks into."""
    script = Script.load()
    measured = asyncio.run(_measure(1, _shortened(script)) if quick else _measure(MEETINGS, script))
    single = [line for line in measured.lines if line.alone]
    interims = [line.first_interim for line in single if line.first_interim is not None]
    if not single or not interims:
        raise CouldNotRun("no line of the meeting had a final and an interim")
    to_final, processing = _of(single, lambda line: line.total), _of(single, lambda line: line.processing)
    first = spread(interims, 0)
    return Findings(
        goals=[
            Goal(what="end of speech to final on the bus, p50", unit="ms", value=to_final["p50"], limit=700),
            Goal(what="end of speech to final on the bus, p95", unit="ms", value=to_final["p95"], limit=1100),
            Goal(what="start of speech to first interim, p50", unit="ms", value=first["p50"], limit=800),
            Goal(what="neither hang-over nor decode, p99", unit="ms", value=processing["p99"], limit=40),
        ],
        figures={
            "end_of_speech_to_transcript_final_ms": {**to_final},
            "end_of_speech_to_stt_final_ms": {**_of(single, lambda line: line.stt)},
            "with_interrupted_lines_ms": {**_of(measured.lines, lambda line: line.total)},
            "start_of_speech_to_first_interim_ms": {**first},
            "lines_without_interim": len(single) - len(interims),
            "lines_without_final": measured.without_final,
            "split_ms": {
                "before_cut": {**_of(single, lambda line: line.before_cut)},
                "hangover": {**_of(single, lambda line: line.hangover)},
                "decode": {**_of(single, lambda line: line.decode)},
                "processing": {**processing},
                "attribution_of_processing": {**_of(single, lambda line: line.attribution)},
            },
            "track_minutes": round(measured.track_minutes, 2),
            "cpu_s": {name: round(value, 2) for name, value in measured.cpu_s.items()},
            "cpu_s_per_track_minute": {
                name: round(value / measured.track_minutes, 3) for name, value in measured.cpu_s.items()
            },
        },
    )


def _of(lines: list[Waited], what: Callable[[Waited], float]) -> dict[str, float]:
    return spread([what(line) for line in lines], 1)
