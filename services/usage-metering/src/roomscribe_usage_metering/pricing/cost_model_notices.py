"""What a reader of the cost model would trip over."""

from collections.abc import Iterator
from fractions import Fraction

from roomscribe_common.contracts.pricing.cost_model import CostModelRequest
from roomscribe_common.contracts.pricing.estimate import Notice

from roomscribe_usage_metering.pricing.cluster import defaults
from roomscribe_usage_metering.pricing.cost_model import Outcome
from roomscribe_usage_metering.pricing.exact import dollars, text, whole


def notices(request: CostModelRequest, outcome: Outcome) -> list[Notice]:
    """Those that concern these inputs."""
    return [*_rounding(outcome), *_limits(request, outcome), *_sources(request, outcome)]


def _rounding(outcome: Outcome) -> Iterator[Notice]:
    lines = sum(whole(item.amount) for item in outcome.items)
    month = whole(outcome.monthly)
    if lines != month:
        said = (
            f"In whole dollars, as the source page shows them, the lines add up to {lines:,} and the month is "
            f"{month:,}: each is rounded for display only, and sums are made of exact figures."
        )
        yield Notice(about="whole_dollars", text=said)
    year, fleet = whole(outcome.annual), whole(outcome.annual * outcome.customers)
    if year * int(outcome.customers) != fleet:
        said = (
            f"The fleet's {fleet:,} is not {text(outcome.customers)} times the {year:,} that is shown for a year "
            f"({year * int(outcome.customers):,}): the exact {dollars(outcome.annual)} is multiplied."
        )
        yield Notice(about="fleet_annual", text=said)


def _limits(request: CostModelRequest, outcome: Outcome) -> Iterator[Notice]:
    yield Notice(about="prices", text=defaults().disclaimer)
    hours = text(outcome.inputs["usage_hours_per_month"])
    said = f"Traffic is counted as if the peak lasted {hours} hours a month, and nothing ran in the others."
    yield Notice(about="network.usage_hours_per_month", text=said)
    hours = text(outcome.inputs["hours_per_month"])
    said = (
        f"Nodes are paid for all {hours} hours: scaling down at night, which the source describes, saves nothing here."
    )
    yield Notice(about="compute.hours_per_month", text=said)
    if 1 in (outcome.nodes.livekit, outcome.nodes.agent) and request.clusters == "single":
        said = f"{outcome.sessions} sessions on one node of a pool are not highly available: set the floors to 2."
        yield Notice(about="capacity.ha_floor_livekit", text=said)
    if not request.extras.labour_usd_per_month or not request.extras.models_usd_per_month:
        said = (
            "The model counts neither labour nor speech and language models: give `extras`, and see `all_in_monthly`."
        )
        yield Notice(about="extras", text=said)


def _sources(request: CostModelRequest, outcome: Outcome) -> Iterator[Notice]:
    if request.cloud != "default":
        said = f"The prices for {request.cloud} are placeholders from memory of list prices, not checked against one."
        yield Notice(about="cloud", text=said)
    if outcome.nodes.system:
        said = "The system nodes stand on the source's page and in its sum; its text never mentions them."
        yield Notice(about="capacity.system_nodes", text=said)
    if request.clusters == "shared":
        said = (
            "The source shows $655 for a shared cluster and gives no formula. Ours gives $654.67 for its figures, but "
            "other capacities would fit as well: it does not confirm them."
        )
        yield Notice(about="clusters", text=said)
    mbps = outcome.inputs["media_mbps_per_participant"] * outcome.inputs["usage_hours_per_month"]
    if mbps == Fraction(72):
        said = "Only the product of bit rate and hours (72) is known of the source: 0.6 × 120 is one way to make it."
        yield Notice(about="network.media_mbps_per_participant", text=said)
