"""What may stand in minutes: statements that rest on segments that exist, owners and dates that were said."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from roomscribe_summarizer.domain.draft import Draft, Statement, Task
from roomscribe_summarizer.domain.people import Roster, is_said
from roomscribe_summarizer.domain.transcript import Transcript

_TEXT_AT_MOST = 2_000
_TITLE_AT_MOST = 200

StatementT = TypeVar("StatementT", bound=Statement)


@dataclass(frozen=True, slots=True)
class Checked:
    """The draft without what did not hold: how many statements were dropped, how many owners or dates taken off."""

    draft: Draft
    dropped: int
    cleared: int


def check(draft: Draft, transcript: Transcript) -> Checked:
    """Drops every statement that cites nothing, or anything that is not in the transcript.

    An owner must be in the roster or have been said anywhere; a due date must stand in the segments cited for it.
    """
    texts = {segment.id: segment.text for segment in transcript.segments}
    roster = Roster(transcript.roster | {segment.speaker for segment in transcript.segments})
    tasks = [_only_what_was_said(task, texts, roster) for task in _resting(draft.tasks, texts)]
    kept = replace(
        draft,
        title=" ".join(draft.title.split())[:_TITLE_AT_MOST],
        summary=_resting(draft.summary, texts),
        topics=_resting(draft.topics, texts),
        decisions=_resting(draft.decisions, texts),
        tasks=tuple(tasks),
        questions=_resting(draft.questions, texts),
    )
    before = _facts(_resting(draft.tasks, texts))
    return Checked(kept, dropped=_count(draft) - _count(kept), cleared=before - _facts(kept.tasks))


def _resting(given: Iterable[StatementT], texts: Mapping[str, str]) -> tuple[StatementT, ...]:
    kept: dict[tuple[str, str], StatementT] = {}
    for one in given:
        text = one.text.strip()[:_TEXT_AT_MOST]
        if text and one.segment_ids and all(id_ in texts for id_ in one.segment_ids):
            ids = tuple(dict.fromkeys(one.segment_ids))
            owner = one.owner or "" if isinstance(one, Task) else ""
            kept.setdefault((text.casefold(), owner), replace(one, text=text, segment_ids=ids))
    return tuple(kept.values())


def _only_what_was_said(task: Task, texts: Mapping[str, str], roster: Roster) -> Task:
    owner = task.owner and (roster.find(task.owner) or (task.owner if is_said(task.owner, texts.values()) else None))
    cited = [texts[id_] for id_ in task.segment_ids]
    due = task.due if task.due and is_said(task.due, cited) else None
    return replace(task, owner=owner or None, due=due)


def _facts(tasks: Iterable[Task]) -> int:
    return sum(bool(task.owner) + bool(task.due) for task in tasks)


def _count(draft: Draft) -> int:
    return sum(len(part) for part in (draft.summary, draft.topics, draft.decisions, draft.tasks, draft.questions))
