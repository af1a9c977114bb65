"""One way to hold the meetings: a plan, its bill, and whether it can serve them."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from roomscribe_common.contracts.pricing.request import EstimateRequest

from roomscribe_usage_metering.pricing.books import Plan
from roomscribe_usage_metering.pricing.exact import dollars, shown
from roomscribe_usage_metering.pricing.rating import REQUEST, Bill, rate
from roomscribe_usage_metering.pricing.workload import at_once, workload


@dataclass(frozen=True, slots=True)
class Option:
    """`why_not` is empty if the plan can serve the meetings."""

    plan: Plan
    request: EstimateRequest
    bill: Bill
    why_not: tuple[str, ...]

    @property
    def serves(self) -> bool:
        """Whether it can."""
        return not self.why_not

    @property
    def total(self) -> Decimal | None:
        """None if the price is by contract, or if the plan would refuse part of the meetings."""
        return None if self.bill.by_contract or self.bill.over_cap else self.bill.total

    @property
    def in_other_currency(self) -> bool:
        """Whether the plan's prices are not in the currency of the request's rates."""
        return self.bill.currency != self.request.currency

    @property
    def mixed(self) -> bool:
        """Whether its total would add amounts of different currencies."""
        return self.in_other_currency and any(line.source == REQUEST and line.amount for line in self.bill.lines)

    @property
    def complete(self) -> bool:
        """Whether everything in it has a price."""
        return self.total is not None and not self.bill.unpriced


def price(plan: Plan, request: EstimateRequest) -> Option:
    """The meetings of the request on a plan."""
    work = workload(plan.book.kind, request)
    bill = rate(plan, work.of(request.meetings), work.charges, use_credit=request.use_model_credit)
    return Option(plan, request, bill, (*_ceilings(plan, request), *_caps(bill)))


def _ceilings(plan: Plan, request: EstimateRequest) -> list[str]:
    """Concurrency first: a plan that cannot hold the peak is out, whatever it costs."""
    peak, found = at_once(request), list[str]()
    allowed = plan.terms.ceilings
    on_cloud = peak.agents if request.agents_on == "cloud" else 0
    for what, wanted, limit in (
        ("agent sessions", on_cloud, allowed.agent_sessions),
        ("connections", peak.connections, allowed.connections),
    ):
        if limit is not None and wanted > limit:
            found.append(f"cannot serve: {wanted:,} {what} at once, {plan.book.name} allows {limit:,}")
    return found


def _caps(bill: Bill) -> list[str]:
    found = [
        f"cannot serve: {shown(line.quantity)} {name(line.meter)}, a hard cap of {shown(line.allowance)} "
        f"after which requests fail"
        for line in bill.over_cap
    ]
    if bill.by_contract:
        found.append(f"{bill.plan.book.name} is priced by contract: no price is published")
    return found


def name(meter: str) -> str:
    """A meter in words."""
    words = meter.replace("_", " ")
    for short, long in _WORDS:
        words = words.replace(short, long)
    return words


_WORDS = (
    ("webrtc participant", "connection"),
    (" gb", " GB"),
    ("livekit", "LiveKit"),
    ("stt", "STT"),
    ("tts", "TTS"),
    ("llm", "LLM"),
)


def differences(cheaper_or_dearer: Bill, base: Bill) -> str:
    """What makes one bill differ from another, line by line, largest first."""
    lines = {line.meter: line.amount or Decimal(0) for line in cheaper_or_dearer.lines}
    for line in base.lines:
        lines[line.meter] = lines.get(line.meter, Decimal(0)) - (line.amount or Decimal(0))
    parts = sorted(
        ((meter, amount) for meter, amount in lines.items() if amount), key=lambda one: (-abs(one[1]), one[0])
    )
    return ", ".join(f"{name(meter)} {signed(amount)}" for meter, amount in parts)


def signed(amount: Decimal | Fraction) -> str:
    """Money with its sign."""
    return f"+{dollars(amount)}" if amount > 0 else dollars(amount)
