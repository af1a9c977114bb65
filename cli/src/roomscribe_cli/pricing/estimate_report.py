"""An estimate as a page with plots."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from roomscribe_common.contracts.pricing.estimate import Alternative, Estimate, EstimateLine
from roomscribe_common.contracts.pricing.request import EstimateRequest
from roomscribe_usage_metering.pricing.books import RECORDING_BOT, SELF_HOSTED, Books, Plan
from roomscribe_usage_metering.pricing.curves import Curve, cost_curves, line_curves
from roomscribe_usage_metering.pricing.options import name as name_of

from roomscribe_cli.pricing import charts, page
from roomscribe_cli.pricing.charts import Bar, Mark, Series
from roomscribe_cli.pricing.words import amount, number

_STEPS = 160


def estimate_report(estimate: Estimate, request: EstimateRequest, books: Books, today: date) -> str:
    """The document."""
    sections = [_head(estimate, request), _lines(estimate), _curves(estimate, request, books, today)]
    sections += [_shares(estimate), _tornado(estimate), _alternatives(estimate), _break_evens(estimate)]
    sections += [_notices(estimate), _assumptions(estimate)]
    return page.page(f"Estimate: {amount(estimate.total)} a month", sections)


def _head(estimate: Estimate, request: EstimateRequest) -> str:
    what = (
        f"{number(request.meetings)} meetings a month of {request.minutes} minutes, {request.humans} people and "
        f"{request.agents} agent{'' if request.agents == 1 else 's'}, mode {estimate.mode}"
    )
    parts = ["<h1>What the meetings would cost</h1>", page.paragraph(what)]
    parts.append(f'<p class="total">{amount(estimate.total)}</p>')
    parts.append(
        page.paragraph(f"a month on {estimate.plan_name} ({estimate.plan_chosen}, prices {estimate.plan_version})")
    )
    units = [
        ("a meeting", amount(estimate.per_meeting)),
        ("an hour", amount(estimate.per_hour)),
        ("a participant minute", amount(estimate.per_participant_minute)),
        ("meetings at once, at the peak", str(estimate.concurrency.peak_meetings)),
    ]
    parts.append(page.facts(units))
    parts += [page.paragraph(reason, "no") for reason in estimate.why_not]
    if estimate.left_out:
        parts.append(page.paragraph(f"Not in it: {', '.join(estimate.left_out)}."))
    return "".join(parts)


def _lines(estimate: Estimate) -> str:
    rows = [_row(line) for line in estimate.lines]
    rows.append(["Total", "", "", "", "", amount(estimate.total)])
    heads = ["", "quantity", "included", "beyond", "unit price", "amount"]
    return page.section("Line by line", page.table(heads, rows, range(1, 6), sum_row=True))


def _row(line: EstimateLine) -> list[str]:
    price = "no price" if line.unit_price is None else f"${line.unit_price}"
    per = f" / {line.per:,}" if line.per > 1 else ""
    quantity = f"{number(line.quantity)} {line.unit}"
    return [
        name_of(line.meter),
        quantity,
        number(line.allowance),
        number(line.overage),
        price + per,
        amount(line.amount),
    ]


def _plans(estimate: Estimate, books: Books, day: date) -> list[Plan]:
    wanted = ["livekit-cloud-ship", "livekit-cloud-scale", SELF_HOSTED, RECORDING_BOT]
    if estimate.plan not in wanted:
        wanted.insert(0, estimate.plan)
    plans = [books.plan(name, day) for name in wanted]
    return [plan for plan in plans if plan.book.currency == estimate.currency]


def _curves(estimate: Estimate, request: EstimateRequest, books: Books, today: date) -> str:
    day = request.on or today
    dated = request.model_copy(update={"on": day})
    crossings = [one.meetings for one in estimate.break_evens]
    most = max(10, request.meetings * 2, *(count * 2 for count in crossings[:2]))
    mine = line_curves(books.plan(estimate.plan, day), dated, most, _STEPS)
    here = [Mark(Decimal(request.meetings), f"{number(request.meetings)} meetings")] if request.meetings else []
    stack = charts.lines(_stacked(mine), "meetings a month", here, stacked=True)
    crossover = charts.lines(
        [_series(curve) for curve in cost_curves(_plans(estimate, books, day), dated, most, _STEPS)],
        "meetings a month",
        [*here, *(Mark(Decimal(count), f"break-even at {number(count)}") for count in crossings)],
    )
    said = "Dashed: more at once than the plan allows. Where lines meet, both cost the same."
    return page.section(f"Cost against meetings on {estimate.plan_name}", stack) + page.section(
        "Where plans cross", crossover, page.paragraph(said)
    )


def _series(curve: Curve) -> Series:
    points = [(Decimal(one.meetings), one.total) for one in curve.points]
    cut = next((Decimal(one.meetings) for one in curve.points if not one.serves), None)
    return Series(curve.name, points, cut)


def _stacked(curves: Sequence[Curve]) -> list[Series]:
    below: dict[int, Decimal] = {}
    stacked: list[Series] = []
    for curve in curves:
        for one in curve.points:
            below[one.meetings] = below.get(one.meetings, Decimal(0)) + one.total
        points = [(Decimal(one.meetings), below[one.meetings]) for one in curve.points]
        stacked.append(Series(name_of(curve.plan), points))
    return stacked


def _shares(estimate: Estimate) -> str:
    amounts = [(line.meter, Decimal(line.amount)) for line in estimate.lines if line.amount]
    whole = sum((value for _, value in amounts if value > 0), Decimal(0))
    rows = [
        Bar(name_of(meter), Decimal(0), value, f"{amount(str(value))}  ({value / whole:.0%})")
        for meter, value in sorted(amounts, key=lambda one: -one[1])
        if value and whole
    ]
    return page.section("Share of each meter", charts.bars(rows))


def _tornado(estimate: Estimate) -> str:
    rows = [
        Bar(
            f"{one.input}: {number(one.low)} to {number(one.high)}",
            Decimal(one.total_low),
            Decimal(one.total_high),
            f"{amount(one.total_low)} to {amount(one.total_high)}",
        )
        for one in estimate.sensitivity[:12]
    ]
    middle = None if estimate.total is None else Decimal(estimate.total)
    said = "Each input alone moved down and up; the line is the total."
    return page.section("What the total depends on", page.paragraph(said), charts.bars(rows, middle=middle))


def _alternatives(estimate: Estimate) -> str:
    priced = [one for one in estimate.alternatives if one.total is not None]
    rows = [_bar(one) for one in priced]
    if estimate.total is not None:
        total = Decimal(estimate.total)
        rows.append(Bar(f"{estimate.plan_name} (this)", Decimal(0), total, amount(estimate.total), strong=True))
    rows = sorted(rows, key=lambda bar: bar.end)
    cells = [
        [one.title, amount(one.total), "; ".join(why.rstrip(".") for why in one.why)] for one in estimate.alternatives
    ]
    return page.section("What else it could cost", charts.bars(rows), page.table(["", "total", "why"], cells, [1]))


def _bar(one: Alternative) -> Bar:
    said = amount(one.total) + ("" if one.serves else ", cannot serve")
    return Bar(one.title, Decimal(0), Decimal(one.total or 0), said, muted=not one.serves)


def _break_evens(estimate: Estimate) -> str:
    said = [one.text for one in estimate.break_evens] or ["No hosted plan changes places with this one."]
    rows = [
        [name_of(one.meter), " and ".join(one.plans), f"{number(one.quantity)} {one.unit}", amount(one.total)]
        for one in estimate.meter_break_evens
    ]
    parts = [page.notes([*said, *(f"{one.option}: {one.text}" for one in estimate.build_or_buy)])]
    if rows:
        parts.append(page.paragraph("If only one meter is used, two plans cost the same at:"))
        parts.append(page.table(["meter", "plans", "quantity", "both cost"], rows, [2, 3]))
    return page.section("Break-even", *parts)


def _notices(estimate: Estimate) -> str:
    return page.section("What to know", page.notes([one.text for one in estimate.notices]))


def _assumptions(estimate: Estimate) -> str:
    rows = [[one.name, one.value, one.provenance, one.source] for one in estimate.assumptions]
    return page.section("What it rests on", page.table(["input", "value", "kind", "source"], rows, []))
