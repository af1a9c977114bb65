"""From meetings a day to nodes, by what was measured: `python -m benchmarks.capacity --meetings-per-day 10000`.

Reads `results/growth.json`, which says what one more room and one more person take, and `results/peer.json`, a run of
its own with four people, against which the model is checked.
"""

import argparse
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from benchmarks.line import Line, fit
from benchmarks.load import Load
from benchmarks.report import RESULTS, CouldNotRun, Result

SPEECH = "speech to text"
PARTS: dict[str, tuple[str, ...]] = {
    "rooms": ("rooms", "media-ingest"),
    SPEECH: ("stt-worker",),
    "LiveKit": ("livekit",),
    "NATS and Redis": ("nats", "redis"),
    "everything else": ("dispatcher", "attribution", "summarizer", "usage-metering", "gateway"),
}
"""What is scaled by itself, and the processes that are of it."""
MEASURED_PEOPLE = 2
"""In each room of the measurement against rooms."""
_PEER_PEOPLE = 4
_MOST = 100_000
_BEGIN, _END = "<!-- measured: written by `python -m benchmarks.capacity --docs` -->", "<!-- end of measured -->"


class Growth(BaseModel):
    """What is needed of its figures."""

    by_rooms_of_two: list[Load]
    by_people: list[Load]


@dataclass(frozen=True)
class Demand:
    """Processors and memory of a part."""

    cores: float
    memory_mb: float


@dataclass(frozen=True)
class Model:
    """What a part takes with nobody there, what one more room of two adds, and one more person in a room."""

    idle: dict[str, Demand]
    room: dict[str, Demand]
    person: dict[str, Demand]

    def demand(self, meetings: float, people: float) -> dict[str, Demand]:
        """Of each part, with so many meetings at once of so many people each."""
        return {
            part: Demand(
                self.idle[part].cores + meetings * self._one(part, people).cores,
                self.idle[part].memory_mb + meetings * self._one(part, people).memory_mb,
            )
            for part in PARTS
        }

    def _one(self, part: str, people: float) -> Demand:
        room, person, more = self.room[part], self.person[part], people - MEASURED_PEOPLE
        return Demand(max(0.0, room.cores + more * person.cores), max(0.0, room.memory_mb + more * person.memory_mb))


def _of(part: str, figures: Mapping[str, float]) -> float:
    return sum(figures.get(process, 0.0) for process in PARTS[part])


def learn(growth: Growth) -> Model:
    """The lines through the measurements; nothing is ever taken to cost less than nothing.

    Speech to text sends fewer interims where processors are short, so it is planned with what it takes of a machine
    that has plenty: what the least number of rooms took. Where nobody speaks it takes nothing.
    """
    idle, room, person = dict[str, Demand](), dict[str, Demand](), dict[str, Demand]()
    for part in PARTS:
        cores, memory = (
            fit([(load.count, _of(part, getattr(load, what))) for load in growth.by_rooms_of_two])
            for what in ("cores", "memory_mb")
        )
        more_cores, more_memory = (
            fit([(load.count, _of(part, getattr(load, what))) for load in growth.by_people])
            for what in ("cores", "memory_mb")
        )
        if part == SPEECH:
            first = growth.by_rooms_of_two[0]
            cores = Line(0.0, _of(part, first.cores) / first.count)
        idle[part] = Demand(max(0.0, cores.base), max(0.0, memory.base))
        room[part] = Demand(max(0.0, cores.each), max(0.0, memory.each))
        person[part] = Demand(max(0.0, more_cores.each), max(0.0, more_memory.each))
    return Model(idle, room, person)


def meetings_at_once(meetings_per_day: float, minutes: float, busiest_hour: float) -> int:
    """At the busiest moment: the mean of the busiest hour and three standard deviations, as if they began by chance."""
    mean = meetings_per_day * busiest_hour * minutes / 60
    return math.ceil(mean + 3 * math.sqrt(mean))


@dataclass(frozen=True)
class Node:
    """One machine, and how much of it is to be used."""

    cores: float
    memory_gib: float
    use: float

    def count(self, demand: Demand) -> int:
        """How many of it the demand needs."""
        by_cores = demand.cores / (self.cores * self.use)
        by_memory = demand.memory_mb * 1e6 / (self.memory_gib * 2**30 * self.use)
        return max(1, math.ceil(max(by_cores, by_memory)))

    def meetings(self, model: Model, people: float) -> int:
        """How many meetings fit on one, with every part on it."""
        count = 0
        while count < _MOST and self.count(total(model.demand(count + 1, people))) == 1:
            count += 1
        return count


def total(demand: Mapping[str, Demand]) -> Demand:
    """Of all parts together."""
    return Demand(sum(d.cores for d in demand.values()), sum(d.memory_mb for d in demand.values()))


def load(name: str, folder: Path = RESULTS) -> Result:
    """A kept result; raises `CouldNotRun` if there is none."""
    path = folder / f"{name}.json"
    if not path.exists():
        raise CouldNotRun(f"{path} is missing: `make bench ARGS={name}` makes it")
    return Result.model_validate_json(path.read_bytes())


def checks(growth: Growth, peer: Result) -> list[tuple[str, float, float]]:
    """What was measured, in cores, and what the model says of it without having seen it."""
    *seen, last = growth.by_rooms_of_two
    found = list[tuple[str, float, float]]()
    if len(seen) > 1:
        blind = learn(Growth(by_rooms_of_two=seen, by_people=growth.by_people))
        measured, said = sum(_of(part, last.cores) for part in PARTS), blind.demand(last.count, MEASURED_PEOPLE)
        found.append((f"{last.count} rooms of {MEASURED_PEOPLE}, from fewer rooms", measured, total(said).cores))
    ours = peer.figures["ours"]
    assert isinstance(ours, dict)
    each = ours["cpu_s_per_track_minute"]
    assert isinstance(each, dict)
    seconds = sum(value for value in each.values() if isinstance(value, float | int))
    said = total(learn(growth).demand(1, _PEER_PEOPLE)).cores
    return [*found, (f"one room of {_PEER_PEOPLE}, of the benchmark `peer`", seconds * _PEER_PEOPLE / 60, said)]


def plan(model: Model, node: Node, at_once: int, people: float) -> str:
    """A Markdown table of what each part needs, and on how many nodes of its own."""
    lines = ["| part | cores | memory, GB | nodes |", "|---|---|---|---|"]
    demand = model.demand(at_once, people)
    for part, each in [*demand.items(), ("all on the same nodes", total(demand))]:
        lines.append(f"| {part} | {each.cores:.1f} | {each.memory_mb / 1000:.1f} | {node.count(each)} |")
    return "\n".join(lines)


def report(growth: Growth, peer: Result, people: float, node: Node) -> str:
    """What `docs/capacity.md` says of the measurements."""
    model = learn(growth)
    lines = [
        f"| part | idle, cores | a room of {MEASURED_PEOPLE}, cores | a person, cores | a room, MB | a person, MB |",
        "|---|---|---|---|---|---|",
    ]
    for part in PARTS:
        idle, room, person = model.idle[part], model.room[part], model.person[part]
        cores = f"{idle.cores:.3f} | {room.cores:.4f} | {person.cores:.4f}"
        lines.append(f"| {part} ({', '.join(PARTS[part])}) | {cores} | {room.memory_mb:.1f} | {person.memory_mb:.1f} |")
    lines += ["", "| checked against | measured, cores | the model, cores | off by |", "|---|---|---|---|"]
    for what, measured, said in checks(growth, peer):
        lines.append(f"| {what} | {measured:.2f} | {said:.2f} | {100 * (said / measured - 1):+.0f} % |")
    fits = node.meetings(model, people)
    lines += ["", f"One machine of {node.cores:g} cores and {node.memory_gib:g} GiB, {node.use:.0%} of it used, holds "]
    lines[-1] += f"**{fits} meetings** of {people:g} people at once with everything on it."
    return "\n".join(lines)


def write(docs: Path, text: str) -> None:
    """Puts the text between the marks of the page; raises `CouldNotRun` if it has none."""
    page = docs.read_text()
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise CouldNotRun(f"{docs} has no place for measurements")
    docs.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def main() -> int:
    """Prints the plan, or brings the page up to date, which waits for the next time where there are no measurements."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--meetings-per-day", type=float, default=1000)
    parser.add_argument("--people", type=float, default=4, help="in a meeting")
    parser.add_argument("--minutes", type=float, default=30, help="that a meeting lasts")
    parser.add_argument("--busiest-hour", type=float, default=0.18, help="share of the day's meetings that begin in it")
    parser.add_argument("--cores", type=float, default=8, help="of a node")
    parser.add_argument("--memory-gib", type=float, default=16, help="of a node")
    parser.add_argument("--use", type=float, default=0.6, help="share of a node to plan with")
    parser.add_argument("--docs", type=Path, help="page whose measurements are brought up to date instead")
    o = parser.parse_args()
    try:
        growth, peer = Growth.model_validate(load("growth").figures), load("peer")
        node = Node(o.cores, o.memory_gib, o.use)
        if o.docs:
            write(o.docs, report(growth, peer, o.people, node))
            return 0
    except CouldNotRun as error:
        print(error, file=sys.stderr)
        return 0 if o.docs else 1
    at_once = meetings_at_once(o.meetings_per_day, o.minutes, o.busiest_hour)
    print(
        f"{o.meetings_per_day:g} meetings a day: {at_once} at once, nodes of {o.cores:g} cores, {o.memory_gib:g} GiB\n"
    )
    print(plan(learn(growth), node, at_once, o.people))
    return 0


if __name__ == "__main__":
    sys.exit(main())
