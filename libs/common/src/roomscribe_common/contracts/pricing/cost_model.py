"""`POST /v1/cost-model`: a cluster of one's own for each customer, and the fleet of them."""

from decimal import Decimal
from typing import Annotated, Literal

from roomscribe_common.contracts.pricing.estimate import Answer, Assumption, Notice, Swing
from roomscribe_common.contracts.pricing.numbers import Between, Money, Price, WholeBetween
from roomscribe_common.contracts.pricing.price_book import Strict
from roomscribe_common.contracts.usage import DecimalText

Count = Annotated[int, WholeBetween(0, 10_000_000)]
Capacity = Annotated[int, WholeBetween(1, 10_000_000)]
Percent = Annotated[Decimal, Between("0", "100")]


class Demand(Strict):
    """Who is there at the busiest time. What is null has its default."""

    total_users: Annotated[int, WholeBetween(0, 1_000_000_000)] | None = None
    peak_concurrency_pct: Percent | None = None
    avg_users_per_session: Annotated[Decimal, Between("0", "100000", above_low=True)] | None = None
    ai_agents_per_session: Annotated[int, WholeBetween(0, 1_000)] | None = None


class Capacities(Strict):
    """What a node carries, and how many there are at least."""

    participants_per_livekit_node: Capacity | None = None
    sessions_per_agent_node: Capacity | None = None
    ha_floor_livekit: Count | None = None
    ha_floor_agent: Count | None = None
    system_nodes: Count | None = None


class Compute(Strict):
    """What a node costs, and for how many hours."""

    livekit_node_usd_per_hour: Price | None = None
    agent_node_usd_per_hour: Price | None = None
    system_node_usd_per_hour: Price | None = None
    hours_per_month: Annotated[Decimal, Between("0", "744")] | None = None


class Managed(Strict):
    """Services by the month."""

    control_plane: Price | None = None
    redis: Price | None = None
    load_balancer: Price | None = None
    storage_logs: Price | None = None
    observability: Price | None = None


class Network(Strict):
    """What leaves the cluster. `usage_hours_per_month` are hours at the peak."""

    media_mbps_per_participant: Annotated[Decimal, Between("0", "1000")] | None = None
    usage_hours_per_month: Annotated[Decimal, Between("0", "744")] | None = None
    egress_usd_per_gb: Price | None = None


class Commercial(Strict):
    """What a customer pays, and how many there are."""

    license_usd_per_year: Money | None = None
    customers: Annotated[int, WholeBetween(1, 10_000_000)] | None = None


class Extras(Strict):
    """What the model itself leaves out, for one customer and month, and what it took to build."""

    labour_usd_per_month: Money = Decimal(0)
    models_usd_per_month: Money = Decimal(0)
    build_effort_usd: Money | None = None


class CostModelRequest(Strict):
    """`{}` is the defaults. `cloud` sets a provider's prices (placeholders), `profile` a kind of meeting; what is
    given beside them wins. `clusters`: one for each customer, or one that all share."""

    cloud: Literal["default", "aws", "azure", "gcp"] = "default"
    profile: Literal["cost_model_page", "meeting_notetaker"] = "cost_model_page"
    clusters: Literal["single", "shared"] = "single"
    demand: Demand = Demand()
    capacity: Capacities = Capacities()
    compute: Compute = Compute()
    managed_monthly: Managed = Managed()
    network: Network = Network()
    commercial: Commercial = Commercial()
    extras: Extras = Extras()
    swing: Annotated[Decimal, Between("0.01", "0.9")] = Decimal("0.2")


class Sizes(Answer):
    """What follows from the demand, for the whole cluster."""

    peak_users: DecimalText
    sessions: int
    participants: DecimalText
    livekit_nodes: int
    agent_nodes: int
    system_nodes: int
    egress_gb: DecimalText


class CostLine(Answer):
    """One thing that is paid for each month, for one customer: `quantity` × `unit_price`."""

    item: str
    quantity: DecimalText
    unit: str
    unit_price: DecimalText
    amount: DecimalText
    whole_dollars: DecimalText


class Totals(Answer):
    """A month, a year, and what remains of the licences. Nothing is rounded before it is shown."""

    monthly: DecimalText
    annual: DecimalText
    margin: DecimalText
    margin_percent: DecimalText | None = None
    fleet_annual: DecimalText
    fleet_revenue: DecimalText
    fleet_margin: DecimalText


class Variant(Totals):
    """The same with one thing done otherwise; `difference` is its month less that of what was asked for."""

    id: str
    title: str
    placeholder: bool
    difference: DecimalText
    difference_percent: DecimalText | None = None


class PayBack(Answer):
    """After how many months of the fleet's margin the effort of building it is paid back."""

    effort: DecimalText
    monthly_margin: DecimalText
    months: DecimalText | None = None
    text: str


class CostModel(Totals):
    """The cluster's costs and the fleet's, with everything they rest on."""

    currency: str = "USD"
    cloud: str
    placeholder: bool
    clusters: str
    whole_dollars: dict[str, DecimalText]
    """The totals as the source page shows them."""
    all_in_monthly: DecimalText
    """With labour and models, if they were given."""
    sizes: Sizes
    lines: list[CostLine]
    variants: list[Variant]
    pay_back: PayBack | None = None
    sensitivity: list[Swing]
    assumptions: list[Assumption]
    notices: list[Notice]
