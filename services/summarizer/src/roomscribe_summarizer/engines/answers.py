"""What a model is asked to fill in. It cites segments by small numbers: ids it would half remember."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from roomscribe_summarizer.domain.draft import Draft, Statement, Task
from roomscribe_summarizer.domain.transcript import Segment

_Text = Annotated[str, StringConstraints(max_length=4_000)]


class Numbers:
    """Segment numbers, from 1 in the order of the transcript, and back to ids."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._ids = [segment.id for segment in segments]

    def ids(self, numbers: Sequence[int]) -> tuple[str, ...]:
        """The segments' ids; an invented number becomes an id that does not exist, so that the check drops the item."""
        return tuple(self._ids[n - 1] if 0 < n <= len(self._ids) else f"invented-{n}" for n in numbers)


class Item(BaseModel):
    """A statement and the numbers of the segments that say so."""

    model_config = ConfigDict(extra="ignore")

    text: _Text
    segments: Annotated[list[int], Field(description="numbers of the segments this rests on", max_length=50)]

    def to_statement(self, numbers: Numbers) -> Statement:
        """With ids for numbers."""
        return Statement(self.text, numbers.ids(self.segments))


class ActionItem(Item):
    """Something somebody is to do."""

    owner: Annotated[_Text | None, Field(description="the name of who does it, only if it was said")] = None
    due: Annotated[_Text | None, Field(description="when it is due, in the words that were said")] = None

    def to_task(self, numbers: Numbers) -> Task:
        """With ids for numbers."""
        return Task(self.text, numbers.ids(self.segments), self.owner, self.due)


class Answer(BaseModel):
    """Minutes of a meeting, or of one part of it."""

    model_config = ConfigDict(extra="ignore")

    title: Annotated[_Text, Field(description="three to eight words")]
    summary: Annotated[list[Item], Field(description="two to eight sentences, each with its segments")]
    topics: list[Item] = []
    decisions: Annotated[list[Item], Field(description="what was decided, not what was only proposed")] = []
    action_items: list[ActionItem] = []
    open_questions: Annotated[list[Item], Field(description="what was asked and stayed open")] = []

    def to_draft(self, numbers: Numbers, title: str) -> Draft:
        """The draft, with the citations as the model gave them."""
        return Draft(
            title=title,
            summary=tuple(item.to_statement(numbers) for item in self.summary),
            topics=tuple(item.to_statement(numbers) for item in self.topics),
            decisions=tuple(item.to_statement(numbers) for item in self.decisions),
            tasks=tuple(item.to_task(numbers) for item in self.action_items),
            questions=tuple(item.to_statement(numbers) for item in self.open_questions),
        )


def joined(answers: Sequence[Answer]) -> Answer:
    """All parts' findings one after the other, under the first part's title."""
    return Answer(
        title=answers[0].title,
        summary=[item for answer in answers for item in answer.summary],
        topics=[item for answer in answers for item in answer.topics],
        decisions=[item for answer in answers for item in answer.decisions],
        action_items=[item for answer in answers for item in answer.action_items],
        open_questions=[item for answer in answers for item in answer.open_questions],
    )
