"""`POST /v1/estimates`: meetings that might be held, and what they are to be priced with."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from roomscribe_common.contracts.pricing.numbers import Between, Money, Price, Quantity, Share, WholeBetween
from roomscribe_common.contracts.pricing.price_book import BookId, MeterName, PriceBook, Strict

Mode = Literal["listen", "copilot"]
SttBasis = Literal["mixed", "per_track", "spoken"]
Mbps = Annotated[Decimal, Between("0", "1000")]
Tokens = Annotated[Decimal, Between("0", "1000000000")]


class SttRates(Strict):
    """Speech to text. `mixed`: one stream a meeting; `per_track`: one for each person, all the time; `spoken`: only
    while somebody speaks, which is `spoken_share` of the meeting."""

    basis: SttBasis = "mixed"
    usd_per_minute: Price = Decimal("0.006")
    spoken_share: Share = Decimal("0.8")


class TtsRates(Strict):
    """Speech of the agent, counted in mode `copilot` for `talk_share` of the meeting."""

    usd_per_minute: Price = Decimal("0.03")
    talk_share: Share = Decimal(1)


class LlmRates(Strict):
    """The language model, by the minute of an agent, or by tokens of a meeting."""

    usd_per_minute: Price = Decimal(0)
    input_tokens_per_meeting: Tokens = Decimal(0)
    output_tokens_per_meeting: Tokens = Decimal(0)
    usd_per_million_input: Price = Decimal(0)
    usd_per_million_output: Price = Decimal(0)


class PerMinute(Strict):
    """Anything that costs by the minute of an agent."""

    usd_per_minute: Price


class Bandwidth(Strict):
    """What each participant receives, in Mbit/s."""

    human_mbps: Mbps = Decimal("1.2")
    agent_mbps: Mbps = Decimal("0.2")


class Peak(Strict):
    """How many meetings there are at once: `meetings` if given, else the mean over the working hours of a month,
    times `factor`."""

    meetings: Annotated[int, WholeBetween(0, 1_000_000_000)] | None = None
    hours_per_month: Annotated[Decimal, Between("1", "744")] = Decimal(176)
    factor: Annotated[Decimal, Between("1", "1000")] = Decimal(3)


class OwnAgents(Strict):
    """Agents on machines of your own, which cost `usd_per_month`."""

    usd_per_month: Price | None = None


class SelfHosted(Strict):
    """What a cluster of your own needs besides what its price book says: people."""

    people_hours_per_month: Annotated[Decimal, Between("0", "100000")] = Decimal(0)
    usd_per_people_hour: Price = Decimal(0)


class BuildEffort(Strict):
    """What it costs, once, to build on a hosted SFU, or to host all of it."""

    effort_usd: Money = Decimal(0)
    self_host_effort_usd: Money | None = None


class EstimateRequest(Strict):
    """Meetings of one month. What is not given is assumed, and the answer says so.

    `plan` null: the cheapest that can serve them. `book`: a price book of your own, to be used like any other.
    `usage`: quantities that do not follow from the meetings.
    """

    meetings: Annotated[int, WholeBetween(0, 1_000_000_000)]
    minutes: Annotated[Decimal, Between("0", "44640", above_low=True)]
    humans: Annotated[int, WholeBetween(0, 100_000)]
    agents: Annotated[int, WholeBetween(0, 1_000)] = 1
    plan: BookId | None = None
    mode: Mode = "listen"
    stt: SttRates = SttRates()
    tts: TtsRates = TtsRates()
    llm: LlmRates | None = None
    telephony: PerMinute | None = None
    observability: PerMinute | None = None
    bandwidth: Bandwidth | None = None
    use_model_credit: bool = False
    agents_on: Literal["cloud", "own"] = "cloud"
    own_agents: OwnAgents = OwnAgents()
    self_hosted: SelfHosted = SelfHosted()
    durations: Literal["exact", "spread"] = "exact"
    """`spread`: meetings do not end on the minute, so a connection bills half a minute more on average."""
    usage: Annotated[dict[MeterName, Quantity], Field(max_length=50)] = {}
    peak: Peak = Peak()
    build: BuildEffort | None = None
    swing: Annotated[Decimal, Between("0.01", "0.9")] = Decimal("0.2")
    """By how much each input is moved for the sensitivity, up and down."""
    currency: Literal["USD"] = "USD"
    on: date | None = None
    """The day whose prices hold; today if null."""
    book: PriceBook | None = None
