"""Plays a random round on a running stack, and judges it."""

import re
from dataclasses import dataclass, field

from tests.chaos.faults import At, Faults
from tests.chaos.judge import Verdict, judge
from tests.chaos.plan import Death, Plan
from tests.chaos.trial import World


@dataclass
class Tally:
    """What was violated so far, counted."""

    rounds: int = 0
    meetings: int = 0
    deaths: int = 0
    lost_words: int = 0
    duplicate_finals: int = 0
    double_agents: int = 0
    wrong_minutes: int = 0
    other: int = 0
    seeds: list[int] = field(default_factory=list[int])
    """Of the rounds in which something was violated."""

    def add(self, plan: Plan, verdicts: list[Verdict]) -> None:
        """One round."""
        self.rounds += 1
        self.meetings += len(plan.scripts)
        self.deaths += len(plan.deaths)
        for verdict in verdicts:
            self.lost_words += sum(_words_in(text) for text in verdict.lost_words)
            self.duplicate_finals += len(verdict.duplicate_finals)
            self.double_agents += len(verdict.double_agents)
            self.wrong_minutes += len(verdict.wrong_minutes)
            self.other += len(verdict.other)
        if not all(verdict.ok for verdict in verdicts):
            self.seeds.append(plan.seed)

    def __str__(self) -> str:
        return (
            f"{self.rounds} rounds, {self.meetings} meetings, {self.deaths} deaths: "
            f"{self.lost_words} lost words, {self.duplicate_finals} duplicate finals, "
            f"{self.double_agents} double agents, {self.wrong_minutes} wrong minutes, {self.other} other violations"
        )


def _words_in(text: str) -> int:
    return len(text.partition(" lacks ")[2].split())


async def play(world: World, plan: Plan) -> list[Verdict]:
    """The verdict on each meeting of the plan."""
    faults = [
        At(death.second, lambda faults, death=death: _strike(world, plan, faults, death)) for death in plan.deaths
    ]
    return [judge(evidence) for evidence in await world.hold_all(plan.scripts, *faults)]


async def _strike(world: World, plan: Plan, faults: Faults, death: Death) -> None:
    whom = death.whom
    if found := re.fullmatch(r"room of meeting (\d+)", whom):
        whom = f"room-{world.meetings[plan.scripts[int(found[1]) - 1].room]}"
    match death.how:
        case "killed":
            await faults.kill(whom)
        case "told to end":
            await faults.terminate(whom)
        case "frozen":
            await faults.freeze(whom, death.for_s)
        case "absent":
            await faults.absent(whom, death.for_s)
        case "locked":
            await faults.locked(whom, death.for_s)
