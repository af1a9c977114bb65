"""What the same meetings would cost on every other plan, and with one thing done otherwise."""

from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from typing import Literal

from roomscribe_common.contracts.pricing.estimate import Alternative
from roomscribe_common.contracts.pricing.request import Bandwidth, EstimateRequest, SttBasis

from roomscribe_usage_metering.pricing.books import Books, Plan
from roomscribe_usage_metering.pricing.exact import dollars, money, unit_cost
from roomscribe_usage_metering.pricing.notices import left_out
from roomscribe_usage_metering.pricing.options import Option, differences, name, price

Kind = Literal["plan", "option", "vendor"]
_BASES: dict[SttBasis, str] = {
    "mixed": "Speech to text of one mixed stream",
    "per_track": "Speech to text of every track, always open",
    "spoken": "Speech to text only while somebody speaks",
}


def cheapest(plans: list[Plan], request: EstimateRequest) -> Plan:
    """The plan with the lowest total among those that can serve; if none can, the one with the highest ceilings."""
    options = [price(plan, request) for plan in plans]
    able = [(one.total, one.plan.id, one.plan) for one in options if one.serves and one.total is not None]
    if able:
        return min(able, key=lambda one: one[:2])[2]
    return max(plans, key=lambda plan: (plan.terms.base is not None, plan.terms.ceilings.agent_sessions or 0, plan.id))


def alternatives(chosen: Option, books: Books) -> list[Alternative]:
    """Every other way, those that can serve first, then by price."""
    found = [_compared(kind, id_, title, option, chosen) for kind, id_, title, option in _others(chosen, books)]
    return sorted(found, key=lambda one: (not one.serves, one.total is None, Fraction(one.total or 0), one.id))


def _others(chosen: Option, books: Books) -> Iterator[tuple[Kind, str, str, Option]]:
    request, day = chosen.request, request_day(chosen.request)
    own = request.model_copy(update={"agents_on": "own"})
    for book in books:
        terms = book.on(day)
        if terms is None:
            continue
        plan = Plan(book, terms)
        kind: Kind = "vendor" if book.kind == "meeting-bot" else "plan"
        if book.id != chosen.plan.id:
            yield kind, book.id, book.name, price(plan, request)
        if book.kind == "livekit-cloud" and terms.base and request.agents_on == "cloud":
            yield "option", f"{book.id}+own-agents", f"{book.name}, agents on machines of your own", price(plan, own)
    yield from _variants(chosen)


def request_day(request: EstimateRequest) -> date:
    """The day whose prices hold; the caller has set it."""
    assert request.on is not None
    return request.on


def _variants(chosen: Option) -> Iterator[tuple[Kind, str, str, Option]]:
    request = chosen.request
    for basis, title in _BASES.items():
        if basis != request.stt.basis:
            other = request.model_copy(update={"stt": request.stt.model_copy(update={"basis": basis})})
            yield "option", f"stt-{basis.replace('_', '-')}", title, price(chosen.plan, other)
    mode = "copilot" if request.mode == "listen" else "listen"
    title = "The agent speaks" if mode == "copilot" else "The agent only listens"
    yield "option", f"mode-{mode}", title, price(chosen.plan, request.model_copy(update={"mode": mode}))
    if not request.use_model_credit and chosen.plan.terms.model_credit:
        credited = request.model_copy(update={"use_model_credit": True})
        yield "option", "model-credit", "Models through the plan's own inference", price(chosen.plan, credited)
    if request.bandwidth is None and chosen.plan.book.kind != "meeting-bot":
        with_media = request.model_copy(update={"bandwidth": Bandwidth()})
        yield "option", "with-bandwidth", "Bandwidth counted, at assumed bit rates", price(chosen.plan, with_media)


def _not_comparable(kind: Kind, id_: str, title: str, option: Option) -> Alternative:
    """A way in another currency. Its total stands in words, where nothing adds or ranks it."""
    theirs, ours = option.bill.currency, option.request.currency
    why = [*option.why_not, f"not comparable: its prices are in {theirs}, those of this estimate in {ours}"]
    if option.mixed:
        why.append(f"no total: the request's rates in {ours} would be part of it")
    elif option.total is not None:
        why.append(f"its own total is {theirs} {dollars(option.total)}")
    return Alternative(id=id_, kind=kind, title=title, serves=option.serves, why=why)


def _compared(kind: Kind, id_: str, title: str, option: Option, chosen: Option) -> Alternative:
    if option.in_other_currency:
        return _not_comparable(kind, id_, title, option)
    total, difference, why = option.total, None, [*option.why_not]
    if total is not None and chosen.total is not None:
        difference = total - chosen.total
        word = "dearer" if difference > 0 else "cheaper"
        parts = differences(option.bill, chosen.bill)
        why.append(f"{dollars(abs(difference))} {word}: {parts}" if difference else "costs the same")
    if total is not None:
        why += [f"no price is published for {name(line.meter)}: left out" for line in option.bill.unpriced]
        more = [one for one in left_out(option) if one not in left_out(chosen)]
        why += [f"left out: {', '.join(more)}"] if more else []
    if kind == "vendor":
        why += option.plan.terms.notes
    meetings = option.request.meetings
    return Alternative(
        id=id_,
        kind=kind,
        title=title,
        total=None if total is None else money(total),
        difference=None if difference is None else money(difference),
        per_meeting=None if total is None or not meetings else unit_cost(Fraction(total) / meetings),
        serves=option.serves,
        why=why,
    )
