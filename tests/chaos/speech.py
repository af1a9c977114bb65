"""What is said in a trial meeting: the demonstration's clips, by whoever a trial wants to speak them."""

from collections.abc import Sequence

from roomscribe_cli.demo.script import Expected, Line, Person, Script, spoken_s

CLIPS = tuple(Script.load().lines)
FIRST_S = 1.0
"""When the first line begins, after everybody has joined."""
_NAMES = {"ada": "Ada Lindqvist", "ben": "Ben Okafor", "cleo": "Cleo Marchetti", "dan": "Dan Whitfield"}
PEOPLE = tuple(_NAMES)


def name_of(identity: str) -> str:
    """The name a person of a trial has in the room."""
    return _NAMES[identity]


def in_turn(
    room: str,
    turns: Sequence[tuple[str, int]],
    *,
    pause_s: float = 0.8,
    after_s: float = 2.0,
    presence_s: dict[str, list[tuple[float, float]]] | None = None,
) -> Script:
    """A meeting in which people speak one after another: (identity, number of the clip, from 1)."""
    lines: list[Line] = []
    at_s = FIRST_S
    for identity, number in turns:
        line = CLIPS[number - 1].model_copy(update={"speaker": identity, "at_s": at_s})
        lines.append(line)
        at_s = spoken_s(line)[1] + pause_s
    ends_s = at_s - pause_s + after_s
    people = [
        Person(identity=who, name=_NAMES[who], presence_s=(presence_s or {}).get(who, [(0.0, ends_s)]))
        for who in sorted({identity for identity, _ in turns})
    ]
    nothing = Expected(decisions=[], action_items=[], open_questions=[])
    return Script(title=f"Trial in {room}", room=room, people=people, lines=lines, expect=nothing)


def together(room: str, clips: dict[str, list[int]], *, pause_s: float = 0.8) -> Script:
    """A meeting in which all speak at the same time, each their own clips one after another."""
    each = [in_turn(room, [(who, clip) for clip in theirs], pause_s=pause_s) for who, theirs in clips.items()]
    ends_s = max(script.end_s for script in each)
    return each[0].model_copy(
        update={
            "lines": [line for script in each for line in script.lines],
            "people": [
                person.model_copy(update={"presence_s": [(0.0, ends_s)]}) for script in each for person in script.people
            ],
        }
    )


def middle_s(script: Script, line: int) -> float:
    """The second in which line number `line` (from 1) is half spoken."""
    begins_s, ends_s = spoken_s(script.lines[line - 1])
    return (begins_s + ends_s) / 2
