"""`roomscribe usage compare` and `… forecast`: what was expected beside what came, and what is to come."""

from decimal import Decimal
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text
from roomscribe_common.contracts.invoices import Comparison, Forecast
from roomscribe_common.contracts.pricing.request import EstimateRequest

from roomscribe_cli.pricing.screen import bar
from roomscribe_cli.pricing.words import number
from roomscribe_cli.usage.asking import ask, print_json


def compare(of: str, expected: EstimateRequest, *, as_json: bool, state: Path | None) -> None:
    """Compares with what was billed for `of`: `invoices/<period>` or `meetings/<id>/usage`."""
    body = expected.model_dump_json(exclude_unset=True)
    answer = ask("compare", state, lambda gateway: gateway.post(f"/v1/{of}/compare", body))
    found = Comparison.model_validate_json(answer)
    if as_json:
        print_json(found)
    else:
        show_comparison(Console(), found)


def forecast(period: str | None, *, as_json: bool, state: Path | None) -> None:
    """Shows what the period will have cost."""
    given = {"period": period} if period else {}
    found = Forecast.model_validate_json(
        ask("forecast", state, lambda gateway: gateway.get("/v1/usage/forecast", **given))
    )
    if as_json:
        print_json(found)
    else:
        show_forecast(Console(), found)


def show_comparison(console: Console, found: Comparison) -> None:
    """Both totals, and what moved the one away from the other."""
    standing = "final" if found.final else "may still change"
    console.rule(Text(f"Expected and actual ({found.plan}; {standing})"), align="left")
    totals = [("expected", found.forecast_total), ("actual", found.actual_total), ("difference", found.difference)]
    most = max(abs(Decimal(value)) for _, value in totals)
    table = Table(box=None, show_header=False)
    table.add_column("")
    table.add_column("", justify="right")
    for name, value in totals:
        table.add_row(name, _money(value, found.currency), bar(abs(Decimal(value)), most, 24))
    console.print(table)
    if not found.causes:
        return
    table = Table("what was off", box=None, header_style="dim")
    for name in ("expected", "actual", "effect"):
        table.add_column(name, justify="right")
    table.add_column("", no_wrap=True, style="cyan")
    most = max(abs(Decimal(cause.effect)) for cause in found.causes)
    for cause in found.causes:
        blocks = bar(abs(Decimal(cause.effect)), most)
        figures = [number(cause.forecast), number(cause.actual), _money(cause.effect, found.currency)]
        table.add_row(cause.input.replace("_", " "), *figures, blocks)
    console.print(table)


def show_forecast(console: Console, found: Forecast) -> None:
    """Each meter as it is and as it will be, then the totals."""
    console.rule(Text(f"Forecast of {found.period}, as of {found.as_of:%Y-%m-%d %H:%M} UTC"), align="left")
    table = Table("", box=None, header_style="dim")
    for name in ("up to now", "at the end"):
        table.add_column(name, justify="right")
    table.add_column("", no_wrap=True, style="cyan")
    for meter, expected in found.expected.items():
        now = found.actual.get(meter, "0")
        if not Decimal(expected):
            continue
        # The bar is how much of it has come already.
        blocks = bar(Decimal(now), Decimal(expected))
        table.add_row(meter.replace("_", " "), number(now), number(expected), blocks)
    low, high = _money(found.low_total, ""), _money(found.high_total, found.currency)
    table.add_row(
        Text("Total", style="bold"),
        _money(found.actual_total, found.currency),
        Text(_money(found.expected_total, found.currency), style="bold"),
        bar(Decimal(found.actual_total), Decimal(found.expected_total)),
    )
    console.print(table)
    console.print(f"With 80 % certainty {low.strip()} to {high}, from {found.days_of_history} days of history.")


def _money(value: str, currency: str) -> str:
    return f"{Decimal(value):,} {currency}".rstrip()
