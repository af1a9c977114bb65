"""What a benchmark finds, what is kept of it as JSON, and the table of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field, JsonValue, computed_field
from rich.console import Console
from rich.table import Table

from benchmarks.machine import Machine

RESULTS = Path(__file__).parent / "results"
QUIET_STEAL = 5.0
QUIET_LOAD = 0.5


_ABOUT = """# Results

Written by `make bench`; how each number is measured is in [the folder above](../README.md). *Peer*: LiveKit Agents
1.8.9, its multi-user transcriber with the same speech model, on the same LiveKit server in the same run. *Bare*: the
SDK, or the speech model, with nothing around it, in the same run. A goal that is missed is said to be missed.
"""


class CouldNotRun(Exception):
    """A benchmark has no result; the message says why."""


class Goal(BaseModel):
    """A published number with its threshold.

    `peer`: what LiveKit Agents came to, `bare`: what the thing itself costs with nothing of ours around it (the SDK,
    the speech model); both measured in the same run.
    """

    what: str
    unit: str
    value: float
    limit: float
    wanted: Literal["at most", "at least"] = "at most"
    peer: float | None = None
    bare: float | None = None

    @computed_field
    @property
    def met(self) -> bool:
        """Whether the value is on the right side of the threshold."""
        return self.value <= self.limit if self.wanted == "at most" else self.value >= self.limit


class Findings(BaseModel):
    """What one benchmark measured: its goals, everything beside them, and pictures of it (SVG by name)."""

    goals: list[Goal]
    figures: dict[str, JsonValue]
    pictures: dict[str, str] = {}


class Result(BaseModel):
    """Findings, and what one must know to judge and repeat them. `quick`: too few rounds to mean anything."""

    benchmark: str
    date: AwareDatetime
    took_s: float
    command: str
    quick: bool
    goals: list[Goal]
    figures: dict[str, JsonValue]
    machine: Machine
    versions: dict[str, str]
    pictures: dict[str, str] = Field(default={}, exclude=True)

    def write(self, folder: Path) -> None:
        """Into `<folder>/<benchmark>.json`, its pictures beside it."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.benchmark}.json").write_text(self.model_dump_json(indent=2) + "\n")
        for name, picture in self.pictures.items():
            (folder / f"{name}.svg").write_text(picture)

    def reason(self, goal: Goal) -> str:
        """What may be behind a missed goal; empty if nothing is known, or it was met."""
        machine, said = self.machine, list[str]()
        if goal.met:
            return ""
        if goal.bare is not None and goal.wanted == "at most" and goal.bare > goal.limit:
            said.append("the bare figure is above the goal too")
        # Neither memory nor words nor what is measured against something else in the same minutes suffer from it much.
        if goal.unit in {"s", "ms"} and machine.steal_percent > QUIET_STEAL:
            said.append(f"the host took {machine.steal_percent:g} % of the processors meanwhile")
        if goal.unit in {"s", "ms"} and machine.load_before > QUIET_LOAD:
            said.append(f"other work was running before (load {machine.load_before:g})")
        return "; ".join(said)


def kept(folder: Path = RESULTS) -> list[Result]:
    """Every result in a folder, by name."""
    return [Result.model_validate_json(path.read_bytes()) for path in sorted(folder.glob("*.json"))]


def show(console: Console, results: Sequence[Result], failed: dict[str, str]) -> None:
    """One row a goal, and one for each benchmark that could not run."""
    table = Table("benchmark", "what", "measured", "goal", "peer", "bare", "")
    for result in results:
        for goal in result.goals:
            verdict = "met" if goal.met else "[bold]MISSED[/]"
            table.add_row(result.benchmark, *cells(goal), verdict)
        if not result.goals:
            table.add_row(result.benchmark, "no goals: see its file")
    for name, reason in failed.items():
        table.add_row(name, reason, "", "", "", "", "[bold]COULD NOT RUN[/]")
    console.print(table)


def cells(goal: Goal) -> tuple[str, str, str, str, str]:
    """What, measured, goal, the peer's and the bare figure, as text."""
    sign = "≤" if goal.wanted == "at most" else "≥"
    peer, bare = ("" if each is None else f"{each:g}" for each in (goal.peer, goal.bare))
    return goal.what, f"{goal.value:g} {goal.unit}", f"{sign} {goal.limit:g} {goal.unit}", peer, bare


def write_table(folder: Path = RESULTS) -> None:
    """`README.md` of a folder: one table of every goal of every result in it."""
    lines = [_ABOUT, "| benchmark | what | measured | goal | peer | bare | |", "|---|---|---|---|---|---|---|"]
    for result in kept(folder):
        for goal in result.goals:
            verdict = "met" if goal.met else f"**missed**{': ' if result.reason(goal) else ''}{result.reason(goal)}"
            lines.append(f"| {' | '.join((result.benchmark, *cells(goal), verdict))} |")
    lines += ["", "| benchmark | date | commit | stolen by the host | load before |", "|---|---|---|---|---|"]
    for result in kept(folder):
        machine, commit = result.machine, result.versions.get("commit", "")
        cell = (result.benchmark, f"{result.date:%Y-%m-%d %H:%M}", commit, f"{machine.steal_percent:g} %")
        lines.append(f"| {' | '.join(cell)} | {machine.load_before:g} |")
    (folder / "README.md").write_text("\n".join(lines) + "\n")
