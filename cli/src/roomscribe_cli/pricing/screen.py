"""Estimates and the cost model on the terminal."""

from collections.abc import Iterable
from decimal import Decimal

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from roomscribe_common.contracts.pricing.cost_model import CostModel
from roomscribe_common.contracts.pricing.estimate import Estimate, Notice, Swing
from roomscribe_usage_metering.pricing.options import name as name_of

from roomscribe_cli.pricing.words import amount, number

_BAR = 12


def plain_console() -> Console:
    """A terminal that takes names of price books and plans as they are: square brackets in them are no markup."""
    return Console(markup=False, emoji=False)


def bar(value: Decimal, most: Decimal, width: int = _BAR) -> str:
    """A bar of eighths; nothing for zero, and something for everything above."""
    if value <= 0 or most <= 0:
        return ""
    eighths = max(1, int(value / most * width * 8))
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def show_estimate(console: Console, estimate: Estimate) -> None:
    """Lines, total, what else it could cost, what it depends on, what to know."""
    title = f"{estimate.plan_name} ({estimate.plan_chosen}; prices {estimate.plan_version})"
    console.rule(Text(title), align="left")
    _lines(console, estimate)
    for reason in estimate.why_not:
        console.print(Text(reason, style="bold red"))
    if estimate.left_out:
        console.print(Text(f"Not in it: {', '.join(estimate.left_out)}.", style="dim"))
    _minute(console, estimate)
    _alternatives(console, estimate)
    _break_evens(console, estimate)
    _swings(console, estimate.sensitivity[:8])
    _notices(console, estimate.notices)


def _lines(console: Console, estimate: Estimate) -> None:
    table = Table(box=None, header_style="dim")
    table.add_column("", no_wrap=True)
    for name in ("quantity", "included", "beyond", "unit price", "amount"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, style="cyan")
    amounts = [Decimal(line.amount or 0) for line in estimate.lines]
    most, room = max(amounts, default=Decimal(0)), max(0, min(24, console.width - 78))
    for line, paid in zip(estimate.lines, amounts, strict=True):
        per = f"/{line.per:,}" if line.per > 1 else ""
        price = "no price" if line.unit_price is None else f"${line.unit_price}{per}"
        figures = [number(line.quantity), number(line.allowance), number(line.overage), price, amount(line.amount)]
        table.add_row(name_of(line.meter), *figures, bar(paid, most, room))
    table.add_row(Text("Total", style="bold"), "", "", "", "", Text(amount(estimate.total), style="bold"))
    console.print(table)
    each = [
        (estimate.per_meeting, "a meeting"),
        (estimate.per_hour, "an hour"),
        (estimate.per_participant_minute, "a participant minute"),
    ]
    console.print("  ".join(f"{amount(value)} {name}" for value, name in each if value is not None))
    peak = estimate.concurrency
    console.print(
        f"At the peak {peak.peak_meetings} meetings at once: {peak.agent_sessions} agent sessions, "
        f"{peak.connections} connections ({peak.basis})."
    )


def _minute(console: Console, estimate: Estimate) -> None:
    if estimate.agent_minute is not None:
        parts = " + ".join(
            f"{one.component.replace('_', ' ')} {one.usd_per_minute}" for one in estimate.agent_minute.components
        )
        total = f"${estimate.agent_minute.total}, ${estimate.agent_minute.per_hour} an hour"
        console.print(f"One more minute of an agent: {total} ({parts}).")


def _alternatives(console: Console, estimate: Estimate) -> None:
    console.print(Text("\nWhat else it could cost", style="bold"))
    most = max((Decimal(one.total) for one in estimate.alternatives if one.total), default=Decimal(0))
    for one in estimate.alternatives:
        style = "" if one.serves else "red"
        blocks = bar(Decimal(one.total or 0), most, 12)
        console.print(Text.assemble(f"  {one.title:<53.53} {amount(one.total):>10} ", (blocks, style or "cyan")))
        console.print(Padding(Text("; ".join(why.rstrip(".") for why in one.why), style=style or "dim"), (0, 0, 0, 6)))


def _break_evens(console: Console, estimate: Estimate) -> None:
    said = [f"Next break-even: {estimate.next_break_even.text}."] if estimate.next_break_even else []
    said += [
        f"By {name_of(one.meter)} alone {' and '.join(one.plans)} cost the same, {amount(one.total)}, "
        f"at {number(one.quantity)} {one.unit}."
        for one in estimate.meter_break_evens
    ]
    said += [f"Build or buy, {one.option}: {one.text}." for one in estimate.build_or_buy]
    if said:
        console.print(Text("\nBreak-even", style="bold"))
    for line in said:
        console.print(f"  {line}")


def _swings(console: Console, swings: Iterable[Swing]) -> None:
    rows = list(swings)
    if not rows:
        return
    console.print(Text("\nWhat it depends on", style="bold"))
    table = Table(box=None, show_header=False)
    most = Decimal(rows[0].swing)
    for one in rows:
        moved = f"{number(one.low)} … {number(one.high)}"
        totals = f"{amount(one.total_low)} … {amount(one.total_high)}"
        table.add_row(one.input, moved, totals, bar(Decimal(one.swing), most))
    console.print(table)


def _notices(console: Console, notices: Iterable[Notice]) -> None:
    console.print(Text("\nWhat to know", style="bold"))
    for one in notices:
        console.print(Text(f"  • {one.text}", style="dim"))


def show_cost_model(console: Console, model: CostModel) -> None:
    """Lines, totals, variants, what it depends on, what to know."""
    kind = "one cluster for each customer" if model.clusters == "single" else "one cluster for all customers"
    console.rule(Text(f"Cost model: {kind}, {model.cloud} prices (placeholders)"), align="left")
    table = Table("", box=None, header_style="dim")
    for name in ("quantity", "unit price", "a month"):
        table.add_column(name, justify="right")
    table.add_column("", no_wrap=True, style="cyan")
    most = max((Decimal(line.amount) for line in model.lines), default=Decimal(0))
    for line in model.lines:
        figures = [f"{number(line.quantity)} {line.unit}", f"${line.unit_price}", amount(line.amount)]
        table.add_row(line.item.replace("_", " "), *figures, bar(Decimal(line.amount), most))
    table.add_row(Text("Month", style="bold"), "", "", Text(amount(model.monthly), style="bold"))
    console.print(table)
    _totals(console, model)
    console.print(Text("\nOtherwise", style="bold"))
    others = Table(box=None, show_header=False)
    most = max(Decimal(one.monthly) for one in model.variants)
    for one in model.variants:
        change = f"{one.difference_percent}%" if one.difference_percent else ""
        others.add_row(one.title, amount(one.monthly), change, bar(Decimal(one.monthly), most))
    console.print(others)
    _swings(console, model.sensitivity[:8])
    _notices(console, model.notices)


def _totals(console: Console, model: CostModel) -> None:
    of_licence = f" ({model.margin_percent}%)" if model.margin_percent else ""
    console.print(f"{amount(model.annual)} a year; {amount(model.margin)}{of_licence} of the licence remains.")
    console.print(
        f"The fleet: costs {amount(model.fleet_annual)}, brings in {amount(model.fleet_revenue)}, "
        f"leaves {amount(model.fleet_margin)} a year."
    )
    if model.all_in_monthly != model.monthly:
        console.print(f"With labour and models {amount(model.all_in_monthly)} a month.")
    if model.pay_back is not None:
        console.print(f"{model.pay_back.text}.")
