"""A price book: one plan of one vendor as data, with the dates from when to when its prices hold."""

from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from roomscribe_common.contracts.pricing.numbers import Price, Quantity, WholeBetween

METERS: dict[str, str] = {
    "webrtc_participant_minutes": "min",
    "agent_session_minutes": "min",
    "downstream_gb": "GB",
    "stt_audio_minutes": "min",
    "tts_audio_minutes": "min",
    "tts_characters": "characters",
    "llm_minutes": "min",
    "llm_input_tokens": "tokens",
    "llm_cached_input_tokens": "tokens",
    "llm_output_tokens": "tokens",
    "telephony_minutes": "min",
    "observability_minutes": "min",
    "observability_events": "events",
    "sip_minutes": "min",
    "transcode_minutes": "min",
    "track_egress_minutes": "min",
    "recording_hours": "h",
    "livekit_node_hours": "h",
    "agent_node_hours": "h",
    "system_node_hours": "h",
    "people_hours": "h",
}
"""Every meter that can be priced, and its unit. A GB is 10^9 bytes."""

MODEL_METERS = frozenset(meter for meter in METERS if meter.startswith(("stt_", "tts_", "llm_")))
"""What a plan's credit for models pays for."""


def known_meter(name: str) -> str:
    """The name itself. Raises `ValueError` naming the meters there are."""
    if name not in METERS:
        raise ValueError(f"unknown meter {name[:40]!r}; the meters are {', '.join(METERS)}")
    return name


MeterName = Annotated[str, AfterValidator(known_meter)]
BookId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Line = Annotated[str, StringConstraints(max_length=500)]
Ceiling = Annotated[int, WholeBetween(0, 1_000_000_000)]


class Strict(BaseModel):
    """Base of what people write: an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Rate(Strict):
    """The price of one meter: `included` units are free, each `per` further units cost `unit_price`.

    Without `unit_price` nothing is sold beyond what is included, or nobody published what it costs.
    """

    included: Quantity = Decimal(0)
    unit_price: Price | None = None
    per: Annotated[int, WholeBetween(1, 1_000_000_000)] = 1
    note: Line = ""


class Ceilings(Strict):
    """How much a plan serves at once; null where it names no limit."""

    agent_sessions: Ceiling | None = None
    connections: Ceiling | None = None


class Version(Strict):
    """Prices that hold on days from `valid_from` up to and without `valid_until`; null is open."""

    version: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,40}$")]
    valid_from: date | None = None
    valid_until: date | None = None
    base: Price | None = None
    """For a month; null if it is by contract."""
    rates: Annotated[dict[MeterName, Rate], Field(max_length=len(METERS))] = {}
    hard_cap: bool = False
    """What goes beyond an allowance fails instead of costing more."""
    ceilings: Ceilings = Ceilings()
    model_credit: Price = Decimal(0)
    """Pays for models each month; what is left of it lapses."""
    notes: Annotated[list[Line], Field(max_length=50)] = []

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        if self.valid_from and self.valid_until and self.valid_from >= self.valid_until:
            raise ValueError(f"valid_until {self.valid_until} must be after valid_from {self.valid_from}")
        return self

    @model_validator(mode="after")
    def _a_cap_has_no_price_beyond_it(self) -> Self:
        priced = [meter for meter, rate in self.rates.items() if rate.included and rate.unit_price]
        if self.hard_cap and priced:
            raise ValueError(f"hard_cap is true, so rates.{priced[0]}.unit_price must be null: nothing is sold beyond")
        return self


class Source(Strict):
    """Where the prices were read, when, and how far they may be trusted."""

    text: Line
    read_on: date | None = None
    status: Literal["list", "placeholder", "contract"]


class PriceBook(Strict):
    """One plan over time. `kind` says what it meters: a hosted SFU, a cluster of your own, or a recording bot."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)

    schema_: Annotated[Literal["price-book/1"], Field(alias="schema")]
    id: BookId
    name: Line
    kind: Literal["livekit-cloud", "self-hosted", "meeting-bot"]
    currency: Currency
    source: Source
    versions: Annotated[list[Version], Field(min_length=1, max_length=1000)]

    @field_validator("versions")
    @classmethod
    def _one_price_a_day(cls, versions: list[Version]) -> list[Version]:
        names = [version.version for version in versions]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"version {name!r} occurs {names.count(name)} times; each may occur once")
        ordered = sorted(versions, key=lambda version: version.valid_from or date.min)
        for before, after in pairwise(ordered):
            if before.valid_until is None or (after.valid_from or date.min) < before.valid_until:
                raise ValueError(_overlap(before, after))
        return ordered

    def on(self, day: date) -> Version | None:
        """The version whose prices hold on that day; None if none does."""
        for version in self.versions:
            if (version.valid_from or date.min) <= day and (version.valid_until is None or day < version.valid_until):
                return version
        return None


def _overlap(before: Version, after: Version) -> str:
    start = after.valid_from or "the beginning"
    if before.valid_until is None:
        return f"version {before.version!r} has no valid_until, so {after.version!r} from {start} overlaps it"
    return (
        f"version {after.version!r} has valid_from {start}, which overlaps {before.version!r}: "
        f"it must be {before.valid_until} or later"
    )
