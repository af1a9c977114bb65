"""How much the total moves with each input."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from fractions import Fraction

from roomscribe_common.contracts.pricing.estimate import Swing
from roomscribe_common.contracts.pricing.price_book import Strict
from roomscribe_common.contracts.pricing.request import EstimateRequest

from roomscribe_usage_metering.pricing.exact import money, text, whole
from roomscribe_usage_metering.pricing.options import Option, price

WHOLE = frozenset({"meetings", "humans", "agents"})
_SHARES = ("stt.spoken_share", "tts.talk_share")


def swings(
    values: Mapping[str, Fraction],
    total: Callable[[str, Fraction], Fraction],
    by: Fraction,
    counts: AbstractSet[str] = WHOLE,
) -> list[Swing]:
    """Each input moved down and up by a part of itself; the widest swing first, those that move nothing left out.

    Whole numbers move by at least one and stay at least 1, shares stay at most 1.
    """
    found: list[Swing] = []
    for name, value in values.items():
        low, high = _moved(name, value, by, whole_number=name in counts)
        at_low, at_high = total(name, low), total(name, high)
        if at_low != at_high:
            swing = Swing(
                input=name,
                value=text(value),
                low=text(low),
                high=text(high),
                total_low=money(at_low),
                total_high=money(at_high),
                swing=money(abs(at_high - at_low)),
            )
            found.append(swing)
    return sorted(found, key=lambda one: (-Decimal(one.swing), one.input))


def _moved(name: str, value: Fraction, by: Fraction, *, whole_number: bool) -> tuple[Fraction, Fraction]:
    low, high = value * (1 - by), value * (1 + by)
    if whole_number:
        step = max(Fraction(1), Fraction(whole(value * by)))
        low, high = max(min(value, Fraction(1)), value - step), value + step
    return low, min(high, Fraction(1)) if name in _SHARES else high


def sensitivity(option: Option) -> list[Swing]:
    """The swing of an option's total with each of its request's numbers."""
    request = option.request

    def total(name: str, value: Fraction) -> Fraction:
        return Fraction(price(option.plan, moved(request, name, value)).bill.total)

    return swings(_numbers(request), total, Fraction(request.swing))


def _numbers(request: EstimateRequest) -> dict[str, Fraction]:
    names = ["meetings", "minutes", "humans", "agents", "stt.usd_per_minute", "stt.spoken_share"]
    names += ["tts.usd_per_minute", "tts.talk_share", "own_agents.usd_per_month"]
    names += [f"self_hosted.{name}" for name in ("people_hours_per_month", "usd_per_people_hour")]
    for part in ("llm", "telephony", "observability", "bandwidth"):
        given: Strict | None = getattr(request, part)
        names += [f"{part}.{name}" for name in type(given).model_fields] if given is not None else []
    values = {name: _value(request, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _value(request: EstimateRequest, name: str) -> Fraction | None:
    part, _, field = name.rpartition(".")
    value: Decimal | int | None = getattr(getattr(request, part) if part else request, field)
    return None if value is None else Fraction(value)


def moved(request: EstimateRequest, name: str, value: Fraction) -> EstimateRequest:
    """The request with one of its numbers changed; `name` as `stt.usd_per_minute`."""
    part, _, field = name.rpartition(".")
    number = int(value) if field in WHOLE else Decimal(text(value))
    if not part:
        return request.model_copy(update={field: number})
    inner: Strict = getattr(request, part)
    return request.model_copy(update={part: inner.model_copy(update={field: number})})
