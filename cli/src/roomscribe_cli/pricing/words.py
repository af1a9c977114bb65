"""Figures and names as people read them."""

from decimal import Decimal

UNITS = {"minutes": "min", "gb": "GB"}
"""Of what is billed, where it has a shorter name."""


def amount(money: str | None) -> str:
    """`1440.00` as `$1,440.00`; a dash if there is none."""
    if money is None:
        return "–"
    value = Decimal(money)
    return f"{'-' if value < 0 else ''}${abs(value):,}"


def number(value: str | int | Decimal) -> str:
    """With thousands separated, and no more than four decimals."""
    found = Decimal(str(value))
    rounded = round(found, 4)
    return f"{rounded.normalize() if rounded != rounded.to_integral_value() else rounded.to_integral_value():,f}"
