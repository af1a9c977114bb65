"""Dividing an amount so that the parts add up to it, to the cent."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from math import lcm

from roomscribe_usage_metering.pricing.exact import cents


def allocate(amount: Decimal, weights: Mapping[str, Fraction | int]) -> dict[str, Decimal]:
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
    shares = _in_whole_numbers(weights)
    total = sum(shares.values())
    due = {name: divmod(whole * share, total) for name, share in shares.items()}
    left = whole - sum(part for part, _ in due.values())
    first = sorted(due, key=lambda name: (-due[name][1], name))[:left]
    parts = {name: part for name, (part, _) in due.items()} | {name: due[name][0] + 1 for name in first}
    return {name: Decimal(sign * part).scaleb(-2) for name, part in parts.items()}


def _in_whole_numbers(weights: Mapping[str, Fraction | int]) -> dict[str, int]:
    """The same proportions, of a sum above 0: a fraction for each of many thousand parts would take seconds."""
    unit = lcm(*{weight.denominator for weight in weights.values()})
    whole = {name: weight.numerator * (unit // weight.denominator) for name, weight in weights.items()}
    total = sum(whole.values())
    if total < 0:
        return {name: -weight for name, weight in whole.items()}
    if not total:
        return {name: abs(weight) for name, weight in whole.items()} if any(whole.values()) else dict.fromkeys(whole, 1)
    return whole
