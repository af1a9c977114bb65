"""The whole answer to `POST /v1/cost-model`."""

from collections.abc import Iterator
from fractions import Fraction

from roomscribe_common.contracts.pricing.cost_model import (
    CostLine,
    CostModel,
    CostModelRequest,
    PayBack,
    Sizes,
    Totals,
    Variant,
)
from roomscribe_common.contracts.pricing.estimate import Assumption, Swing

from roomscribe_usage_metering.pricing.cluster import GROUPS, Inputs, defaults
from roomscribe_usage_metering.pricing.cost_model import Outcome, given_in, inputs_of, run
from roomscribe_usage_metering.pricing.cost_model_notices import notices
from roomscribe_usage_metering.pricing.exact import ceil, dollars, money, text, whole
from roomscribe_usage_metering.pricing.sensitivity import swings

_CLOUDS = {"default": "Default prices", "aws": "AWS", "azure": "Azure", "gcp": "GCP"}
_NOT_MOVED = ("hours_per_month", "customers", "license_usd_per_year")
_COUNTS = {
    "total_users",
    "ai_agents_per_session",
    "participants_per_livekit_node",
    "sessions_per_agent_node",
    "ha_floor_livekit",
    "ha_floor_agent",
    "system_nodes",
}


def cost_model(request: CostModelRequest) -> CostModel:
    """The model's costs and margins, variants beside it, and everything it rests on."""
    shared = request.clusters == "shared"
    outcome = run(inputs_of(request), shared=shared)
    extras = Fraction(request.extras.labour_usd_per_month) + Fraction(request.extras.models_usd_per_month)
    return CostModel(
        **_totals(outcome).model_dump(),
        cloud=request.cloud,
        placeholder=True,
        clusters=request.clusters,
        whole_dollars=_whole_dollars(outcome),
        all_in_monthly=money(outcome.monthly + extras),
        sizes=_sizes(outcome),
        lines=_lines(outcome),
        variants=list(_variants(request, outcome)),
        pay_back=_pay_back(request, outcome, extras),
        sensitivity=_sensitivity(request, outcome.inputs, shared),
        assumptions=list(_assumptions(request, outcome.inputs)),
        notices=notices(request, outcome),
    )


def _totals(outcome: Outcome) -> Totals:
    licence, customers = outcome.inputs["license_usd_per_year"], outcome.customers
    return Totals(
        monthly=money(outcome.monthly),
        annual=money(outcome.annual),
        margin=money(outcome.margin),
        margin_percent=text(outcome.margin / licence * 100, 2) if licence else None,
        fleet_annual=money(outcome.annual * customers),
        fleet_revenue=money(licence * customers),
        fleet_margin=money(outcome.margin * customers),
    )


def _whole_dollars(outcome: Outcome) -> dict[str, str]:
    licence, customers = outcome.inputs["license_usd_per_year"], outcome.customers
    shown = {
        "monthly": outcome.monthly,
        "annual": outcome.annual,
        "margin": outcome.margin,
        "fleet_annual": outcome.annual * customers,
        "fleet_revenue": licence * customers,
        "fleet_margin": outcome.margin * customers,
    }
    if licence:
        shown["margin_percent"] = outcome.margin / licence * 100
    return {name: text(whole(value)) for name, value in shown.items()}


def _sizes(outcome: Outcome) -> Sizes:
    return Sizes(
        peak_users=text(outcome.peak_users),
        sessions=outcome.sessions,
        participants=text(outcome.participants),
        livekit_nodes=outcome.nodes.livekit,
        agent_nodes=outcome.nodes.agent,
        system_nodes=outcome.nodes.system,
        egress_gb=text(outcome.egress_gb),
    )


def _lines(outcome: Outcome) -> list[CostLine]:
    return [
        CostLine(
            item=item.name,
            quantity=text(item.quantity),
            unit=item.unit,
            unit_price=text(item.unit_price),
            amount=money(item.amount),
            whole_dollars=text(whole(item.amount)),
        )
        for item in outcome.items
    ]


def _variants(request: CostModelRequest, outcome: Outcome) -> Iterator[Variant]:
    shared = request.clusters == "shared"
    for cloud, title in _CLOUDS.items():
        if cloud != request.cloud:
            other = run(inputs_of(request.model_copy(update={"cloud": cloud})), shared=shared)
            yield _variant(cloud, f"{title} (placeholder prices)", other, outcome)
    if shared:
        yield _variant("single", "A cluster for each customer", run(outcome.inputs), outcome)
        return
    two = {name: max(Fraction(2), outcome.inputs[name]) for name in _FLOORS}
    yield _variant("ha-floor-2", "At least two nodes in each pool", run({**outcome.inputs, **two}), outcome)
    pooled = run(outcome.inputs, shared=True)
    yield _variant("shared", "One cluster that all customers share (our formula)", pooled, outcome)


_FLOORS = ("ha_floor_livekit", "ha_floor_agent", "system_nodes")


def _variant(id_: str, title: str, other: Outcome, base: Outcome) -> Variant:
    difference = other.monthly - base.monthly
    return Variant.model_validate(
        {
            **_totals(other).model_dump(),
            "id": id_,
            "title": title,
            "placeholder": True,
            "difference": money(difference),
            "difference_percent": text(difference / base.monthly * 100, 1) if base.monthly else None,
        }
    )


def _pay_back(request: CostModelRequest, outcome: Outcome, extras: Fraction) -> PayBack | None:
    effort = request.extras.build_effort_usd
    if effort is None:
        return None
    margin = (outcome.margin / 12 - extras) * outcome.customers
    months = None if margin <= 0 else Fraction(effort) / margin
    said = "never: nothing remains of the licences" if months is None else f"paid back after {ceil(months)} months"
    return PayBack(
        effort=money(effort),
        monthly_margin=money(margin),
        months=None if months is None else text(months, 1),
        text=f"{dollars(effort)} once, {dollars(margin)} a month remain of all licences: {said}",
    )


def _sensitivity(request: CostModelRequest, inputs: Inputs, shared: bool) -> list[Swing]:
    def monthly(name: str, value: Fraction) -> Fraction:
        return run({**inputs, name: value}, shared=shared).monthly

    moved = {name: value for name, value in inputs.items() if name not in _NOT_MOVED}
    return swings(moved, monthly, Fraction(request.swing), _COUNTS)


def _assumptions(request: CostModelRequest, inputs: Inputs) -> Iterator[Assumption]:
    known = defaults()
    for group in GROUPS:
        given = given_in(request, group)
        for name, figure in known.inputs[group].items():
            value, provenance, source = (
                inputs[name],
                figure.provenance,
                figure.note or known.provenance[figure.provenance],
            )
            if name in given:
                provenance, source = "given", "request"
            elif name in known.clouds.get(request.cloud, {}).get(group, {}):
                provenance, source = "placeholder", f"{_CLOUDS[request.cloud]}: {known.provenance['placeholder']}"
            elif name in known.profiles[request.profile].get(group, {}):
                source = f"profile {request.profile}"
            shown = f"{text(value)} {figure.unit}"
            yield Assumption.model_validate(
                {"name": f"{group}.{name}", "value": shown, "provenance": provenance, "source": source}
            )
