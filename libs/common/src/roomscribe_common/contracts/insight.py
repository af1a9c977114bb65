"""What is drawn from a transcript."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from roomscribe_common.contracts.base import Data, Event, Name, Text
from roomscribe_common.contracts.meeting import RoomName
from roomscribe_common.ids import Token

Citations = Annotated[list[Token], Field(min_length=1)]
"""`segment_id`s that were checked to stand in the meeting's transcript."""


class Cited(Data):
    """A statement and the segments it rests on."""

    text: Text
    segment_ids: Citations


class ActionItem(Cited):
    """Something somebody is to do; `owner` and `due` only where they were said."""

    owner: Name | None = None
    due: str | None = None


class MinutesData(Data):
    """Minutes of a meeting. `extractive`: sentences taken from the transcript by rule, no model involved."""

    meeting_id: Token
    room: RoomName
    title: Name
    method: Literal["extractive", "model"]
    model: str | None = None
    language: str
    generated_at: AwareDatetime
    last_sequence: int
    """The last segment that was read."""
    summary: list[Cited]
    topics: list[Cited]
    decisions: list[Cited]
    action_items: list[ActionItem]
    open_questions: list[Cited]


class Minutes(Event[MinutesData]):
    """The minutes are written."""

    TYPE = "insight.v1.minutes"
