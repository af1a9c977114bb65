"""The per-cluster cost model: formulas of its text, exact to the end; nothing is rounded before it is shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from roomscribe_common.contracts.pricing.cost_model import CostModelRequest
from roomscribe_common.contracts.pricing.price_book import Strict

from roomscribe_usage_metering.pricing.cluster import GROUPS, Inputs, Nodes, default_inputs, defaults, gigabytes, nodes
from roomscribe_usage_metering.pricing.exact import ceil

_MANAGED = ("control_plane", "redis", "load_balancer", "storage_logs", "observability")


@dataclass(frozen=True, slots=True)
class Item:
    """Something paid for each month: `quantity` × `unit_price`."""

    name: str
    quantity: Fraction
    unit: str
    unit_price: Fraction

    @property
    def amount(self) -> Fraction:
        """Exact."""
        return self.quantity * self.unit_price


@dataclass(frozen=True, slots=True)
class Outcome:
    """The model's result for one set of inputs; items and money are one customer's."""

    inputs: Inputs
    peak_users: Fraction
    sessions: int
    participants: Fraction
    nodes: Nodes
    egress_gb: Fraction
    items: tuple[Item, ...]

    @property
    def monthly(self) -> Fraction:
        """One customer, one month."""
        return sum((item.amount for item in self.items), Fraction(0))

    @property
    def annual(self) -> Fraction:
        """One customer, one year."""
        return self.monthly * 12

    @property
    def margin(self) -> Fraction:
        """What remains of a licence."""
        return self.inputs["license_usd_per_year"] - self.annual

    @property
    def customers(self) -> Fraction:
        """How many."""
        return self.inputs["customers"]


def inputs_of(request: CostModelRequest) -> Inputs:
    """Defaults, then the profile, then the cloud's prices, then what is given."""
    found = dict(default_inputs())
    given: list[Mapping[str, object]] = [
        *defaults().profiles[request.profile].values(),
        *defaults().clouds.get(request.cloud, {}).values(),
        *(given_in(request, group) for group in GROUPS),
    ]
    for group in given:
        found.update({name: Fraction(str(value)) for name, value in group.items()})
    return found


def given_in(request: CostModelRequest, group: str) -> Mapping[str, object]:
    """What the request itself sets in a group."""
    part: Strict = getattr(request, group)
    return {name: value for name, value in part.model_dump().items() if value is not None}


def run(inputs: Inputs, *, shared: bool = False) -> Outcome:
    """The model for a cluster of each customer's own, or one that all of them share."""
    peak = inputs["total_users"] * inputs["peak_concurrency_pct"] / 100
    sessions = ceil(peak / inputs["avg_users_per_session"])
    participants = sessions * (inputs["avg_users_per_session"] + inputs["ai_agents_per_session"])
    customers = ceil(inputs["customers"]) if shared else 1
    needed = _shared_nodes(inputs, sessions * customers, participants * customers)
    if not shared:
        needed = nodes(inputs, sessions, participants)
    egress = gigabytes(inputs["media_mbps_per_participant"], inputs["usage_hours_per_month"]) * participants
    items = (*_nodes(inputs, needed, customers), *_services(inputs, customers), _egress(inputs, egress))
    return Outcome(inputs, peak, sessions, participants, needed, egress, items)


def _shared_nodes(inputs: Inputs, sessions: int, participants: Fraction) -> Nodes:
    # Our own pooling formula, which the source does not give: no floors, no system nodes.
    return nodes(
        {**inputs, "ha_floor_livekit": Fraction(0), "ha_floor_agent": Fraction(0), "system_nodes": Fraction(0)},
        sessions,
        participants,
    )


def _nodes(inputs: Inputs, needed: Nodes, customers: int) -> list[Item]:
    hours = inputs["hours_per_month"]
    counts = {"livekit": needed.livekit, "agent": needed.agent, "system": needed.system}
    return [
        Item(f"{pool}_nodes", Fraction(count, customers) * hours, "h", inputs[f"{pool}_node_usd_per_hour"])
        for pool, count in counts.items()
    ]


def _services(inputs: Inputs, customers: int) -> list[Item]:
    return [Item(name, Fraction(1, customers), "month", inputs[name]) for name in _MANAGED]


def _egress(inputs: Inputs, gigabytes_out: Fraction) -> Item:
    return Item("egress", gigabytes_out, "GB", inputs["egress_usd_per_gb"])
