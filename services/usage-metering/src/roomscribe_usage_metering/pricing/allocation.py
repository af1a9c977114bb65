"""Dividing an amount so that the parts add up to it, to the cent."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from roomscribe_usage_metering.pricing.exact import cents

_CENT = Fraction(1, 100)


def allocate(amount: Decimal, weights: Mapping[str, Fraction]) -> dict[str, Decimal]:
    """`amount` in parts proportional to the weights, by largest remainder; ties go to the smaller name.

    A negative weight's part has the other sign. Weights that add up to nothing count without their signs; without any
    the parts are equal. Raises `ValueError` for an amount that is not whole cents, and for something to divide among
    nobody.
    """
    if cents(amount) != amount:
        raise ValueError(f"amount must be whole cents; it is {amount}")
    if not weights:
        if amount:
            raise ValueError(f"{amount} cannot be divided among nobody")
        return {}
    sign, whole = (-1 if amount < 0 else 1), int(abs(amount) * 100)
    if not sum(weights.values()):
        weights = {name: abs(weight) for name, weight in weights.items()}
    total = sum(weights.values())
    shares = {name: weight / total if total else Fraction(1, len(weights)) for name, weight in weights.items()}
    exact = {name: whole * share for name, share in shares.items()}
    parts = {name: value.numerator // value.denominator for name, value in exact.items()}
    by_remainder = sorted(weights, key=lambda name: (parts[name] - exact[name], name))
    for name in by_remainder[: whole - sum(parts.values())]:
        parts[name] += 1
    return {name: cents(sign * part * _CENT) for name, part in parts.items()}
