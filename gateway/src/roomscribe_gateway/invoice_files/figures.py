"""Figures and dates as people read them on paper."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

_MINUS = "−"


def money(amount: str | Decimal) -> str:
    """`-1440` as `−1,440.00`."""
    return f"{Decimal(amount):,.2f}".replace("-", _MINUS)


def quantity(value: str) -> str:
    """With thousands apart and no more than four decimals; a dash for nothing."""
    number = Decimal(value)
    if not number:
        return "–"
    shown = f"{number:,.4f}".rstrip("0").rstrip(".")
    return shown.replace("-", _MINUS)


def unit_price(price: str, per: int) -> str:
    """`0.15 / 1,000,000`; the price in full, for the reader is to multiply with it."""
    shown = f"{Decimal(price):,f}"
    return shown if per == 1 else f"{shown} / {per:,}"


def day(moment: datetime, zone: ZoneInfo) -> str:
    """`1 November 2026` there."""
    local = moment.astimezone(zone)
    return f"{local.day} {local:%B %Y}"


def days(starts_at: datetime, ends_at: datetime, zone: ZoneInfo) -> str:
    """The days of a half-open span, the last one included."""
    return f"{day(starts_at, zone)} – {day(ends_at - timedelta(microseconds=1), zone)}"
