"""What was used: evidence from services, and the ledger's answer."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from roomscribe_common.contracts.base import Data, Event
from roomscribe_common.contracts.meeting import RoomName
from roomscribe_common.ids import Token

Meter = Literal[
    "webrtc_participant_minutes",
    "agent_session_minutes",
    "downstream_gb",
    "stt_audio_minutes",
    "tts_characters",
    "llm_input_tokens",
    "llm_cached_input_tokens",
    "llm_output_tokens",
    "transcode_minutes",
    "track_egress_minutes",
]
"""Cached input tokens are not among the input tokens of this list: each token is metered once."""
Quality = Literal["measured", "estimated"]
DecimalText = Annotated[str, Field(pattern=r"^-?\d+(\.\d+)?$")]
"""A decimal number as text, so that no reader makes a float of it."""


class LlmUsageData(Data):
    """Tokens of one request to a model."""

    meeting_id: Token
    request_id: Token
    provider: str
    model: str
    input_tokens: int = Field(ge=0)
    cached_input_tokens: int = Field(ge=0, default=0)
    output_tokens: int = Field(ge=0)
    at: AwareDatetime


class UsageLine(Data):
    """One connection, session, stream or model: what was measured, and what is billed for it.

    `quantity` is a whole number of `unit`; `billed` is quantised by the policy, in `billed_unit`.
    """

    line_id: str
    meter: Meter
    subject: str
    """What is metered: a participant SID, a job and participant SID, a track and model, a model, an egress."""
    identity: str = ""
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    open: bool = False
    """Still running: `ended_at` is the last evidence."""
    basis: str
    """What a time's end rests on (left, room_finished, last_seen, agent_left, last_heartbeat, egress_ended), or what
    was counted: pushed (audio sent to recognition), connection (time it was open), requests, counters, bitrate."""
    quality: Quality = "measured"
    quantity: int
    unit: Literal["ms", "bytes", "tokens", "characters"]
    billed: DecimalText
    billed_unit: Literal["minutes", "gb", "tokens", "characters"]


class CostLine(Data):
    """One line of a price: `quantity` × `unit_price` = `amount`, in `currency` of the report."""

    meter: str
    quantity: DecimalText
    unit_price: DecimalText
    amount: DecimalText
    """In cents: rounded here, and nowhere else."""
    note: str = ""
    exact: DecimalText | None = None
    """The amount before it was rounded."""


class CostEstimate(Data):
    """What the lines would cost at list price, allowances left out, on the named book."""

    book: str
    currency: str
    lines: list[CostLine]
    total: DecimalText
    """The sum of the rounded lines."""
    notes: list[str] = []
    version: str | None = None
    """The book's version whose prices these are."""


class MeetingUsageData(Data):
    """The ledger of one meeting. `closed` once no more evidence is expected."""

    meeting_id: Token
    room: RoomName
    policy: Literal["livekit"]
    closed: bool
    digest: str
    lines: list[UsageLine]
    totals: dict[str, DecimalText]
    """Billed quantity per meter."""
    estimate: CostEstimate | None = None


class LlmUsage(Event[LlmUsageData]):
    """Tokens were used."""

    TYPE = "usage.v1.llm"


class MeetingUsage(Event[MeetingUsageData]):
    """The meeting's ledger is closed; its id is `usage:<meeting>:<digest>`."""

    TYPE = "usage.v1.meeting"
