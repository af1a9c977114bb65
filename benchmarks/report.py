"""What a benchmark finds, what is kept of it as JSON, and the table of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, JsonValue, computed_field
from rich.console import Console
from rich.table import Table

from benchmarks.machine import Machine

RESULTS = Path(__file__).parent / "results"


class CouldNotRun(Exception):
    """A benchmark has no result; the message says why."""


class Goal(BaseModel):
    """A published number with its threshold."""

    what: str
    unit: str
    value: float
    limit: float
    wanted: Literal["at most", "at least"] = "at most"

    @computed_field
    @property
    def met(self) -> bool:
        """Whether the value is on the right side of the threshold."""
        return self.value <= self.limit if self.wanted == "at most" else self.value >= self.limit


class Findings(BaseModel):
    """What one benchmark measured: its goals, and everything beside them."""

    goals: list[Goal]
    figures: dict[str, JsonValue]


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

    def write(self, folder: Path) -> None:
        """Into `<folder>/<benchmark>.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.benchmark}.json").write_text(self.model_dump_json(indent=2) + "\n")


def show(console: Console, results: Sequence[Result], failed: dict[str, str]) -> None:
    """One row a goal, and one for each benchmark that could not run."""
    table = Table("benchmark", "what", "measured", "goal", "")
    for result in results:
        for goal in result.goals:
            sign, verdict = ("≤" if goal.wanted == "at most" else "≥"), ("met" if goal.met else "[bold]MISSED[/]")
            table.add_row(
                result.benchmark,
                goal.what,
                f"{goal.value:g} {goal.unit}",
                f"{sign} {goal.limit:g} {goal.unit}",
                verdict,
            )
        if not result.goals:
            table.add_row(result.benchmark, "no goals: see its file", "", "", "")
    for name, reason in failed.items():
        table.add_row(name, reason, "", "", "[bold]COULD NOT RUN[/]")
    console.print(table)
