"""Exact numbers: fractions inside, decimal text outside, and the one rounding of money."""

from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

from roomscribe_common.contracts.pricing.numbers import plain

_CONTEXT = Context(prec=80, rounding=ROUND_HALF_UP)
_CENT = Decimal("0.01")


def _rounded(value: Fraction | Decimal, step: Decimal) -> Decimal:
    # A quotient cut at 80 digits could sit just below a half: scale to whole steps first, and round those exactly.
    steps = Fraction(value) / Fraction(step)
    sign = -1 if steps < 0 else 1
    whole = (2 * abs(steps.numerator) + steps.denominator) // (2 * steps.denominator)
    return _CONTEXT.multiply(Decimal(sign * whole), step)


def cents(value: Fraction | Decimal) -> Decimal:
    """Money rounded half up (away from zero) to cents: once for each line of an invoice, and never before."""
    return _rounded(value, _CENT)


def whole(value: Fraction | Decimal) -> Decimal:
    """Half up to a whole number."""
    return _rounded(value, Decimal(1))


def money(value: Fraction | Decimal) -> str:
    """Cents as text, always with two places."""
    return format(cents(value), "f")


def shown(value: Fraction | Decimal | int, places: int = 2) -> str:
    """The number for a sentence: thousands separated."""
    return f"{Decimal(text(value, places)):,}"


def dollars(value: Fraction | Decimal) -> str:
    """Money for a sentence: cents, thousands separated."""
    return f"{cents(value):,}"


def text(value: Fraction | Decimal | int, places: int = 12) -> str:
    """The number with at most so many places and no trailing zeros; for what is shown, not for going on with."""
    return plain(_rounded(Fraction(value), Decimal(1).scaleb(-places)))


def unit_cost(value: Fraction) -> str:
    """A price for one of something: up to six places, at least two."""
    shown = text(value, 6)
    places = len(shown.partition(".")[2])
    return shown if places >= 2 else money(value)


def ceil(value: Fraction | Decimal) -> int:
    """The next whole number."""
    fraction = Fraction(value)
    return -(-fraction.numerator // fraction.denominator)
