"""Periods, invoices and alerts: what a tenant pays, and what it is told of before it does."""

from typing import Literal

from pydantic import AwareDatetime, Field

from roomscribe_common.contracts.base import Data, Event
from roomscribe_common.contracts.usage import DecimalText
from roomscribe_common.ids import Token

PeriodState = Literal["running", "grace", "closed"]
"""`running`: not over. `grace`: over, and late evidence is still waited for. `closed`: never changes again."""


class InvoiceLine(Data):
    """One line: what is beyond the allowance, times the price, rounded to cents once.

    `line_id` is the same whenever the same period is rated on the same terms.
    """

    line_id: str
    kind: Literal["base", "usage", "credit", "correction"]
    meter: str
    description: str
    of_period: str
    """The period whose use is paid; another than the invoice's for a correction."""
    price: str
    """`book@version`."""
    unit: str
    quantity: DecimalText
    allowance: DecimalText
    overage: DecimalText
    unit_price: DecimalText
    per: int = 1
    amount: DecimalText
    quality: Literal["measured", "estimated"] = "measured"
    """`estimated` if any of it is."""
    note: str = ""


class Peak(Data):
    """The most that ran at once in a period, and the first instant it did: for information, and never charged.

    `ceiling`: how much the plan serves at once; null where it names no limit.
    """

    what: Literal["agent_sessions", "connections"]
    most: int
    at: AwareDatetime
    ceiling: int | None = None


class InvoiceData(Data):
    """What a tenant pays for a period. A draft (`number` is null) until the period is closed.

    `total` is the sum of the rounded lines. `digest` is over the period's entries, `watermark` the last evidence in it.
    """

    kind: Literal["invoice", "credit_note"] = "invoice"
    number: str | None = None
    corrects: str | None = None
    """The number of the invoice a credit note takes back from."""
    period: str
    state: PeriodState
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    time_zone: str
    currency: str
    plan: str
    lines: list[InvoiceLine]
    total: DecimalText
    issued_at: AwareDatetime | None = None
    digest: str | None = None
    watermark: int | None = None
    notes: list[str] = []
    peaks: list[Peak] = []
    """Of the period's own use, as it was known when the invoice was issued."""


class InvoiceIssued(Event[InvoiceData]):
    """A period was closed and its invoice issued, or a credit note was. Its id is `invoice:<number>`.

    The subject ends with the period.
    """

    TYPE = "billing.v1.invoice_issued"


class BudgetReachedData(Data):
    """The money a tenant wanted to know of. `threshold_percent` of `budget`, of what was used or will have been."""

    period: str
    budget: str
    """Its name."""
    limit: DecimalText
    currency: str
    threshold_percent: int = Field(gt=0)
    basis: Literal["actual", "forecast"]
    amount: DecimalText
    at: AwareDatetime


class BudgetReached(Event[BudgetReachedData]):
    """Once for each threshold, basis and period: its id is `budget:<tenant>:<period>:<budget>:<basis>:<percent>`."""

    TYPE = "billing.v1.budget_reached"


class QuotaReachedData(Data):
    """A quantity of a meter that a tenant is not meant to exceed in a period."""

    period: str
    meter: str
    limit: DecimalText
    threshold_percent: int = Field(gt=0)
    used: DecimalText
    resets_at: AwareDatetime


class QuotaReached(Event[QuotaReachedData]):
    """Once for each threshold, meter and period: its id is `quota:<tenant>:<period>:<meter>:<percent>`."""

    TYPE = "billing.v1.quota_reached"


class AnomalyFoundData(Data):
    """Use that looks wrong: somebody should look before it is paid."""

    period: str
    meeting_id: Token
    kind: Literal["agent_alone", "long_session", "reconnect_storm"]
    detail: str
    """What was seen, in numbers; no names."""
    at: AwareDatetime


class AnomalyFound(Event[AnomalyFoundData]):
    """Once for each kind and meeting: its id is `anomaly:<tenant>:<meeting>:<kind>`."""

    TYPE = "billing.v1.anomaly_found"


class DriftFoundData(Data):
    """Two sources of evidence of the same use disagree by more than 0.5 %. Nothing is corrected by this."""

    period: str
    pair: Literal["webhook_poll", "agent_sfu", "ledger_node"]
    left: DecimalText
    right: DecimalText
    unit: str
    drift_percent: DecimalText
    at: AwareDatetime


class DriftFound(Event[DriftFoundData]):
    """Once for each pair and period: its id is `drift:<tenant>:<period>:<pair>`."""

    TYPE = "billing.v1.drift_found"
