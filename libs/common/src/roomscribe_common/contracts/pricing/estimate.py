"""The answer of `POST /v1/estimates`. Money and quantities are decimal text; totals are sums of rounded lines."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from roomscribe_common.contracts.usage import DecimalText


class Answer(BaseModel):
    """Base of what the engine answers."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class EstimateLine(Answer):
    """`overage` units at `unit_price` for each `per` make `exact`, rounded once to `amount`.

    Without a price `unit_price` and `amount` are null, and the total leaves the line out.
    """

    meter: str
    unit: str
    quantity: DecimalText
    allowance: DecimalText
    overage: DecimalText
    unit_price: DecimalText | None = None
    per: int = 1
    exact: DecimalText | None = None
    amount: DecimalText | None = None
    source: str
    """The book and version that has the price, or `request`."""
    note: str = ""


class Concurrency(Answer):
    """How much there is at once, and how that was come by."""

    mean_meetings: DecimalText
    peak_meetings: int
    agent_sessions: int
    connections: int
    basis: str


class Component(Answer):
    """One part of the price of a minute."""

    component: str
    usd_per_minute: DecimalText


class AgentMinute(Answer):
    """What one more minute of an agent costs, once allowances are used up; connections of people are not in it."""

    components: list[Component]
    total: DecimalText
    per_hour: DecimalText


class Alternative(Answer):
    """The same meetings on another plan, or with one thing done otherwise.

    `difference` is its total less that of what was asked for. `why` says what it cannot serve, or what makes it
    dearer or cheaper.
    """

    id: str
    kind: Literal["plan", "option", "vendor"]
    title: str
    total: DecimalText | None = None
    difference: DecimalText | None = None
    per_meeting: DecimalText | None = None
    serves: bool
    why: list[str]


class BreakEven(Answer):
    """At `meetings` a month and above, `above` is the cheaper of the two; below, `below` is."""

    below: str
    above: str
    meetings: int
    total: DecimalText
    serves: bool
    """Whether both could serve that many at once."""
    text: str


class MeterBreakEven(Answer):
    """Where two plans cost the same if only this meter is used."""

    meter: str
    unit: str
    plans: list[str]
    quantity: DecimalText
    total: DecimalText


class Swing(Answer):
    """The total with one input moved down and up."""

    input: str
    value: DecimalText
    low: DecimalText
    high: DecimalText
    total_low: DecimalText
    total_high: DecimalText
    swing: DecimalText


class BuildOrBuy(Answer):
    """After how many months an effort is paid back by not buying; `months` is null if never."""

    option: str
    effort: DecimalText
    monthly: DecimalText
    buy: str
    buy_monthly: DecimalText
    months: DecimalText | None = None
    text: str


class Assumption(Answer):
    """A figure the answer rests on and where it comes from; `given` is the request."""

    name: str
    value: str
    provenance: Literal["given", "list", "article", "recovered", "chosen", "placeholder"]
    source: str


class Notice(Answer):
    """Something a reader would trip over: a limit of the figures, or where a source's words and sums disagree."""

    about: str
    text: str
    total: DecimalText | None = None
    """The total if it were the other way."""


class Estimate(Answer):
    """What the meetings would cost. `total` is null where a price is by contract or the plan would refuse them."""

    currency: str
    plan: str
    plan_name: str
    plan_version: str
    plan_chosen: str
    """Why this plan: it was asked for, or it is the cheapest that serves."""
    mode: str
    total: DecimalText | None = None
    complete: bool
    """False if something in it has no published price."""
    serves: bool
    why_not: list[str]
    left_out: list[str]
    lines: list[EstimateLine]
    per_meeting: DecimalText | None = None
    per_hour: DecimalText | None = None
    per_participant_minute: DecimalText | None = None
    concurrency: Concurrency
    agent_minute: AgentMinute | None = None
    alternatives: list[Alternative]
    break_evens: list[BreakEven]
    next_break_even: BreakEven | None = None
    meter_break_evens: list[MeterBreakEven]
    sensitivity: list[Swing]
    build_or_buy: list[BuildOrBuy]
    assumptions: list[Assumption]
    notices: list[Notice]
