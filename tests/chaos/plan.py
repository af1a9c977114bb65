"""What a random round consists of, by its seed alone: meetings, who says what, what dies when. Pure."""

import random
from dataclasses import dataclass
from typing import Final, Literal

from roomscribe_cli.demo.script import Script, spoken_s

from tests.chaos.speech import CLIPS, PEOPLE, in_turn

How = Literal["killed", "told to end", "frozen", "absent", "locked"]

SERVICES: Final = ("dispatcher", "media-ingest", "stt-worker", "attribution", "summarizer", "usage-metering", "gateway")
_REPLICATED: Final = ("dispatcher", "media-ingest", "stt-worker", "attribution")
_DATABASES: Final = ("archive.db", "usage.db")
_LONGEST_S: Final[dict[How, float]] = {"killed": 0.0, "told to end": 0.0, "frozen": 10.0, "absent": 12.0, "locked": 6.0}
_LIVEKIT_SHARE: Final = 0.05
"""A LiveKit server that restarts takes every meeting with it for many seconds, so it is not taken often."""


@dataclass(frozen=True)
class Death:
    """What happens to which processes (a name, or a pattern of names) at which second of the first meeting."""

    second: float
    how: How
    whom: str
    for_s: float

    def __str__(self) -> str:
        for_ = f" for {self.for_s:.1f} s" if self.for_s else ""
        return f"{self.second:5.1f} s  {self.whom} {self.how}{for_}"


@dataclass(frozen=True)
class Plan:
    """One round: meetings that begin together, and the deaths in it."""

    seed: int
    scripts: list[Script]
    deaths: list[Death]

    def told(self) -> str:
        """The plan in lines."""
        lines = [f"seed {self.seed}"]
        for script in self.scripts:
            who = ", ".join(person.identity for person in script.people)
            words = sum(len(line.text.split()) for line in script.lines)
            lines.append(
                f"  meeting {script.room}: {who}; {len(script.lines)} lines, {words} words, {script.end_s:.0f} s"
            )
        return "\n".join([*lines, *(f"  {death}" for death in self.deaths)])


def make_plan(seed: int, *, speech_s: float = 30.0, most_meetings: int = 3, most_deaths: int = 5) -> Plan:
    """The round of a seed: always the same one."""
    dice = random.Random(seed)
    scripts = [_meeting(dice, f"round-{seed}-{n}", speech_s) for n in range(1, dice.randint(1, most_meetings) + 1)]
    deaths = [_death(dice, speech_s, len(scripts)) for _ in range(dice.randint(2, most_deaths))]
    return Plan(seed, scripts, sorted(deaths, key=lambda death: death.second))


def _meeting(dice: random.Random, room: str, speech_s: float) -> Script:
    people = dice.sample(PEOPLE, dice.randint(1, 3))
    pause_s = dice.uniform(0.2, 2.0)
    turns: list[tuple[str, int]] = []
    said_s = 0.0
    while said_s < speech_s:
        clip = dice.randint(1, len(CLIPS))
        begins_s, ends_s = spoken_s(CLIPS[clip - 1])
        turns.append((dice.choice(people), clip))
        said_s += ends_s - begins_s + pause_s
    return in_turn(room, turns, pause_s=pause_s)


def _death(dice: random.Random, speech_s: float, meetings: int) -> Death:
    second = dice.uniform(1.0, speech_s)
    if dice.random() < _LIVEKIT_SHARE:
        return Death(second, "killed", "livekit", 0.0)
    kind = dice.choice(["room", "service", "service", "service", "server", "database"])
    if kind == "room":
        whom, hows = f"room of meeting {dice.randint(1, meetings)}", ["killed", "killed", "frozen"]
    elif kind == "service":
        service = dice.choice(SERVICES)
        replica = dice.choice(["", "-2", "(-2)?"]) if service in _REPLICATED else ""
        whom, hows = service + replica, ["killed", "told to end", "frozen", "absent"]
    elif kind == "server":
        whom, hows = dice.choice(["nats", "redis"]), ["killed", "frozen", "absent"]
    else:
        whom, hows = dice.choice(_DATABASES), ["locked"]
    how: How = dice.choice(hows)  # pyright: ignore[reportAssignmentType]  # each list holds nothing else
    longest_s = _LONGEST_S[how]
    return Death(second, how, whom, dice.uniform(1.0, longest_s) if longest_s else 0.0)
