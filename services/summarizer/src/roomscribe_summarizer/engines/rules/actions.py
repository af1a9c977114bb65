"""Action items: what somebody took on, was given, or was asked to do and did not refuse."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from roomscribe_summarizer.domain.draft import Task
from roomscribe_summarizer.domain.people import Roster
from roomscribe_summarizer.engines.rules.cues import FILLER, any_of, cue, opening
from roomscribe_summarizer.engines.rules.due import due_in, is_only_due
from roomscribe_summarizer.engines.rules.replies import accepts, declines
from roomscribe_summarizer.engines.rules.sentences import Sentence
from roomscribe_summarizer.engines.rules.verbs import TASK

_I = cue(
    f"i('ll| will| shall|'m going to| am going to|'m gonna| can| have to| need to|'ve got to) {TASK}",
    f"let me {TASK}(?=.*(after|by|tomorrow|later|next|this week))",
)
_ANYBODY = cue(
    f"(someone|somebody|one of us) (needs to|should|has to|must|will) {TASK}",
    f"we (need|have|'ve got) (someone|somebody) to {TASK}",
    r"(action (items?|points?)|to-?do|next steps?)( (is|are|for \w+( is)?))?[:,-]? \w+\W+\w+",
)
_WE = cue(f"we('ll| will| need to| have to| must|'ve got to) {TASK}")
_ASKED = cue(
    f"(can|could|would|will) (you|someone|somebody|anyone|anybody) {TASK}",
    f"(do|would) you (want|like) to {TASK}|are you able to {TASK}",
)
_REFERS_BACK = opening(
    f"i('ll| will| can| could|'m going to| am going to) (be happy to |gladly )?({TASK} |do |have )?"
    "(that|it|this|those|them|both)"
    "( one| up| on| over| out| of)?",
    "i('ll| will| can) (take care of|look into|pick up|work on) (that|it|this|those|them)( one)?",
    "(that's|that is|it's|leave (that|it)) (mine|on me|with me|to me)|i'm on it",
)
_VAGUE = cue("i('ll| will| can| could|'m going to| am going to) (do|take|handle|own|have) \\w+")
_NEEDED = cue("needs? to|have to|has to|should|must|who|someone|somebody|is missing|missing")
_GIVEN = any_of(
    "(?:'ll| will|'s going to| is going to|'s gonna| should| must| can| needs to| has to| is to| agreed to| to) ",
    ",? please |,? (?:can|could|would|will) you |, you (?:can|should|need to|have to|will) |, you'll ",
)
_NEGATED = cue("won't|will not|not (going )?to|can't|cannot|'ll not|never|couldn't|shouldn't|not \\w+ing")
_UNREAL = cue(
    "(i wish|would have|could have|should have|as if)",
    "(whether|if|when|what|how|before|until|unless|why) i",
    "(i|he|she|they|you) (said|told|promised|hoped|thought)",
)
_CONDITION = re.compile(
    r"^\W*(?:(?:and|so|but|well)\W+)?(?:if|unless|suppose|imagine|when|whenever)\b[^,]*$", re.IGNORECASE
)
_JOIN = re.compile(r"[,;:]?\s+(?:and|but|then|so|while|whereas)\s*$|[,;:]\s*$", re.IGNORECASE)
_REPLIES = 3
"""How many sentences after a request may answer it."""


@dataclass(frozen=True, slots=True)
class _Cue:
    start: int
    owner: str | None


class _Named:
    """Finds people who are given something to do."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        name = rf"(?P<name>{roster.pattern})"
        clause = r"(?:^|(?<=[,;:.]\s)|(?<=\band\s)|(?<=\bbut\s)|(?<=\bthen\s)|(?<=\bso\s)|(?<=\bthat\s))"
        self._given = re.compile(rf"{clause}{FILLER}{name}{_GIVEN}{TASK}(?!\w)", re.IGNORECASE)
        self._before = re.compile(rf"^\W*{FILLER}{name}\s*[,:-]", re.IGNORECASE)
        self._after = re.compile(rf"[\s,]{name}\W*$", re.IGNORECASE)

    def given(self, text: str) -> Iterator[_Cue]:
        """Everybody who is told to do something, and from where in the text on."""
        for match in self._given.finditer(text):
            yield _Cue(match.start("name"), self._roster.find(match["name"]))

    def addressed(self, text: str) -> str | None:
        """The person a sentence speaks to by name."""
        found = self._before.search(text) or self._after.search(text)
        return self._roster.find(found["name"]) if found else None


def actions(said: Sequence[Sentence], roster: Roster) -> list[Task]:
    """The tasks, verbatim, with owner and due date where they were said."""
    named = _Named(roster)
    found: list[Task] = []
    for sentence in said:
        if is_request(sentence):
            task = _requested(said, sentence, named)
            found += [task] if task else []
        elif _REFERS_BACK.search(sentence.plain):
            task = _taken(said, sentence)
            found += [task] if task else []
        elif not sentence.is_question:
            found += [_with_due(said, sentence, task) for task in _stated(sentence, named)]
    return _once(found)


def is_request(sentence: Sentence) -> bool:
    """Whether a sentence asks somebody to do something."""
    asked = _ASKED.search(sentence.plain)
    return asked is not None and not _NEGATED.search(sentence.plain[asked.start() :])


def _stated(sentence: Sentence, named: _Named) -> list[Task]:
    text = sentence.plain
    if _UNREAL.search(text) or _CONDITION.search(text):
        return []
    cues = [_Cue(match.start(), sentence.speaker or None) for match in _I.finditer(text)]
    tasks = _by_clause(sentence, sorted([*cues, *named.given(text)], key=lambda cue: cue.start))
    if tasks or cues:
        return tasks
    unowned = _ANYBODY.search(text) or (due_in(text) and _WE.search(text))
    return [_task(sentence, sentence.text, None)] if unowned and not _NEGATED.search(text) else []


def _by_clause(sentence: Sentence, cues: Sequence[_Cue]) -> list[Task]:
    """One task per person; a sentence that gives work to several is cut where each one's part begins."""
    parts = [cue for number, cue in enumerate(cues) if number == 0 or cue.owner != cues[number - 1].owner]
    tasks: list[Task] = []
    for number, part in enumerate(parts):
        last = number + 1 == len(parts)
        start = 0 if number == 0 else part.start
        clause = sentence.text[start:] if last else _JOIN.sub("", sentence.text[start : parts[number + 1].start])
        if not _NEGATED.search(clause):
            tasks.append(_task(sentence, clause.strip(), part.owner))
    return tasks


def _task(sentence: Sentence, text: str, owner: str | None) -> Task:
    return Task(text, sentence.segment_ids, owner, due_in(text))


def _with_due(said: Sequence[Sentence], sentence: Sentence, task: Task) -> Task:
    """The due date may be a sentence of its own: "I'll send the draft. By Friday."."""
    after = said[sentence.index + 1] if sentence.index + 1 < len(said) else None
    if task.due is not None or after is None or after.speaker != sentence.speaker or not is_only_due(after.text):
        return task
    ids = tuple(dict.fromkeys((*task.segment_ids, *after.segment_ids)))
    return replace(task, due=due_in(after.text), segment_ids=ids)


def _taken(said: Sequence[Sentence], offer: Sentence) -> Task | None:
    """ "I'll do that." is a task together with what it answers; the answer to a request is part of the request."""
    recent = said[max(0, offer.index - 2) : offer.index]
    if any(is_request(before) for before in recent):
        return None
    others = [before for before in reversed(recent) if before.speaker != offer.speaker]
    needed = next((before for before in others if _NEEDED.search(before.plain)), None)
    about = needed or (recent[-1] if recent and _I.search(offer.plain) and not _VAGUE.search(offer.plain) else None)
    if about is None or _NEGATED.search(offer.plain):
        return None
    ids = tuple(dict.fromkeys((*about.segment_ids, *offer.segment_ids)))
    task = Task(f"{about.text} {offer.text}", ids, offer.speaker or None, due_in(offer.text))
    task = _with_due(said, offer, task)
    return task if task.due else replace(task, due=due_in(about.text))


def _once(found: Sequence[Task]) -> list[Task]:
    """Work that was first named and then taken is one task: the one that has an owner."""
    owned = [task for task in found if task.owner is not None]
    return [one for one in found if one.owner is not None or not any(one.text in task.text for task in owned)]


def _requested(said: Sequence[Sentence], request: Sentence, named: _Named) -> Task | None:
    """A request is a task of whom it names unless they decline, or of whoever accepts it."""
    owner = named.addressed(request.plain)
    for reply in said[request.index + 1 :][:_REPLIES]:
        if reply.speaker == request.speaker or (owner is not None and reply.speaker != owner):
            continue
        if declines(reply):
            return None
        if accepts(reply):
            ids = tuple(dict.fromkeys((*request.segment_ids, *reply.segment_ids)))
            return Task(request.text, ids, owner or reply.speaker or None, due_in(request.text) or due_in(reply.text))
        break
    return _task(request, request.text, owner) if owner else None
