"""The cost model as a page with plots."""

from decimal import Decimal
from fractions import Fraction

from roomscribe_common.contracts.pricing.cost_model import CostModel, CostModelRequest
from roomscribe_usage_metering.pricing.cost_model import inputs_of, run
from roomscribe_usage_metering.pricing.exact import cents
from roomscribe_usage_metering.pricing.options import name as name_of

from roomscribe_cli.pricing import charts, page
from roomscribe_cli.pricing.charts import Bar, Mark, Series
from roomscribe_cli.pricing.words import amount, number

_STEPS = 160


def cost_report(model: CostModel, request: CostModelRequest) -> str:
    """The document."""
    sections = [_head(model), _lines(model), _curve(request), _variants(model), _tornado(model)]
    sections.append(page.section("What to know", page.notes([one.text for one in model.notices])))
    rows = [[one.name, one.value, one.provenance, one.source] for one in model.assumptions]
    sections.append(page.section("What it rests on", page.table(["input", "value", "kind", "source"], rows, [])))
    return page.page(f"Cost model: {amount(model.monthly)} a month", sections)


def _head(model: CostModel) -> str:
    what = "one cluster for each customer" if model.clusters == "single" else "one cluster that all customers share"
    prices = "default prices" if model.cloud == "default" else f"{model.cloud} prices"
    units = [
        ("a year", amount(model.annual)),
        ("remains of a licence", f"{amount(model.margin)} ({model.margin_percent or '–'}%)"),
        ("the fleet costs a year", amount(model.fleet_annual)),
        ("the fleet brings in", amount(model.fleet_revenue)),
        ("the fleet's margin", amount(model.fleet_margin)),
    ]
    parts = ["<h1>What a cluster of your own would cost</h1>"]
    parts.append(page.paragraph(f"For one customer, {what}; {prices}, placeholders all"))
    parts.append(f'<p class="total">{amount(model.monthly)}</p>')
    parts += [page.paragraph("a month"), page.facts(units)]
    if model.all_in_monthly != model.monthly:
        parts.append(page.paragraph(f"With labour and models {amount(model.all_in_monthly)} a month."))
    if model.pay_back is not None:
        parts.append(page.paragraph(model.pay_back.text))
    return "".join(parts)


def _lines(model: CostModel) -> str:
    rows = [
        [name_of(one.item), f"{number(one.quantity)} {one.unit}", f"${one.unit_price}", amount(one.amount)]
        for one in model.lines
    ]
    rows.append(["Month", "", "", amount(model.monthly)])
    sizes = model.sizes
    size = (
        f"{number(sizes.peak_users)} users at the peak are {number(sizes.sessions)} sessions and "
        f"{number(sizes.participants)} participants: {sizes.livekit_nodes} LiveKit, {sizes.agent_nodes} agent and "
        f"{sizes.system_nodes} system nodes, {number(sizes.egress_gb)} GB out."
    )
    table = page.table(["", "quantity", "unit price", "amount"], rows, [1, 2, 3], sum_row=True)
    whole = sum((Decimal(one.amount) for one in model.lines), Decimal(0)) or Decimal(1)
    ranked = sorted(model.lines, key=lambda one: -Decimal(one.amount))
    shares = [
        Bar(
            name_of(one.item),
            Decimal(0),
            Decimal(one.amount),
            f"{amount(one.amount)} ({Decimal(one.amount) / whole:.0%})",
        )
        for one in ranked
    ]
    parts = [page.paragraph(size), table, charts.bars(shares)]
    return page.section("Line by line", *parts)


def _curve(request: CostModelRequest) -> str:
    inputs = inputs_of(request)
    users, shared = inputs["total_users"], request.clusters == "shared"
    most = max(100, int(users) * 4)
    counts = [most * step // _STEPS for step in range(_STEPS + 1)]
    points = [
        (Decimal(count), cents(run({**inputs, "total_users": Fraction(count)}, shared=shared).monthly))
        for count in counts
    ]
    mark = Mark(Decimal(int(users)), f"{number(int(users))} users")
    chart = charts.lines([Series("a customer's month", points)], "users of one customer", [mark])
    said = "Steps are nodes added; the slope between them is traffic."
    return page.section("Cost against users", chart, page.paragraph(said))


def _variants(model: CostModel) -> str:
    rows = [Bar("This", Decimal(0), Decimal(model.monthly), amount(model.monthly), strong=True)]
    rows += [
        Bar(one.title, Decimal(0), Decimal(one.monthly), f"{amount(one.monthly)} ({one.difference_percent}%)")
        for one in model.variants
    ]
    heads = ["", "month", "year", "margin", "of the licence"]
    cells = [
        [one.title, amount(one.monthly), amount(one.annual), amount(one.margin), f"{one.margin_percent or '–'}%"]
        for one in model.variants
    ]
    return page.section("Otherwise", charts.bars(rows), page.table(heads, cells, [1, 2, 3, 4]))


def _tornado(model: CostModel) -> str:
    rows = [
        Bar(
            f"{one.input.replace('_', ' ')}: {number(one.low)} to {number(one.high)}",
            Decimal(one.total_low),
            Decimal(one.total_high),
            f"{amount(one.total_low)} to {amount(one.total_high)}",
        )
        for one in model.sensitivity
    ]
    said = "Each input alone moved down and up; the line is the month."
    bars = charts.bars(rows, middle=Decimal(model.monthly))
    return page.section("What the month depends on", page.paragraph(said), bars)
