"""What an engine writes, before it is checked."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence and the segments it is said to rest on."""

    text: str
    segment_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Task(Statement):
    """Something to be done; `owner` and `due` as the engine understood them."""

    owner: str | None = None
    due: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """Minutes that nobody has checked yet."""

    title: str
    summary: tuple[Statement, ...] = ()
    topics: tuple[Statement, ...] = ()
    decisions: tuple[Statement, ...] = ()
    tasks: tuple[Task, ...] = field(default=())
    questions: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens of one run of a model, failed ones included."""

    request_id: str
    provider: str
    model: str
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
