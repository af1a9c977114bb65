"""The whole answer to `POST /v1/estimates`."""

from collections.abc import Iterator
from datetime import date
from fractions import Fraction

from roomscribe_common.contracts.pricing.estimate import (
    AgentMinute,
    BuildOrBuy,
    Component,
    Concurrency,
    Estimate,
    EstimateLine,
)
from roomscribe_common.contracts.pricing.request import EstimateRequest

from roomscribe_usage_metering.pricing import break_even
from roomscribe_usage_metering.pricing.alternatives import alternatives, cheapest
from roomscribe_usage_metering.pricing.assumptions import assumptions
from roomscribe_usage_metering.pricing.books import RECORDING_BOT, SELF_HOSTED, Books, Plan
from roomscribe_usage_metering.pricing.contradictions import refuse_contradictions
from roomscribe_usage_metering.pricing.exact import money, text, unit_cost
from roomscribe_usage_metering.pricing.notices import left_out, notices
from roomscribe_usage_metering.pricing.options import Option, price
from roomscribe_usage_metering.pricing.rating import RatedLine
from roomscribe_usage_metering.pricing.refusals import refused
from roomscribe_usage_metering.pricing.sensitivity import sensitivity
from roomscribe_usage_metering.pricing.workload import agent_minutes, at_once, workload

_PER_AGENT_MINUTE = ("stt_audio", "tts_audio", "llm", "telephony", "observability")


def estimate(request: EstimateRequest, books: Books, today: date) -> Estimate:
    """What the meetings of the request would cost. Raises `ProblemError` (422) for an unknown plan, a day without
    prices, prices in another currency than the request's rates, and fields that do not go together."""
    request = request if request.on else request.model_copy(update={"on": today})
    refuse_contradictions(request)
    books = _with_own(books, request)
    chosen, chosen_by = choose(request, books)
    option = price(chosen, request)
    peers = [plan for plan in _hosted(books, request) if plan.id != chosen.id]
    hosted = chosen.book.kind == "livekit-cloud" and option.total is not None
    crossings = break_even.by_meetings(option, peers) if hosted else []
    total = option.total
    return Estimate(
        currency=option.bill.currency,
        plan=chosen.id,
        plan_name=chosen.book.name,
        plan_version=chosen.terms.version,
        plan_chosen=chosen_by,
        mode=request.mode,
        total=None if total is None else money(total),
        complete=option.complete,
        serves=option.serves,
        why_not=[*option.why_not],
        left_out=left_out(option),
        lines=[line_answer(line) for line in option.bill.lines],
        **_per(option),
        concurrency=_concurrency(request),
        agent_minute=_agent_minute(option),
        alternatives=alternatives(option, books),
        break_evens=crossings,
        next_break_even=break_even.nearest(crossings, request.meetings),
        meter_break_evens=break_even.by_meter(chosen, peers) if hosted else [],
        sensitivity=sensitivity(option) if total is not None else [],
        build_or_buy=_build_or_buy(option, books),
        assumptions=assumptions(chosen, request),
        notices=notices(option),
    )


def choose(request: EstimateRequest, books: Books) -> tuple[Plan, str]:
    """The plan that was asked for, or the cheapest that serves; and why. `request.on` is set."""
    assert request.on is not None
    if request.plan is not None:
        plan = books.plan(request.plan, request.on)
        if plan.book.currency != request.currency:
            raise refused("plan", _currencies(plan, request))
        return plan, "asked for"
    hosted = books.hosted(request.on, request.currency)
    if not hosted:
        raise refused("plan", f"no hosted plan has prices in `currency` {request.currency} on {request.on}; name one")
    plan = cheapest(hosted, request)
    serves = price(plan, request).serves
    return plan, "the cheapest hosted plan that serves" if serves else "no hosted plan serves; the one with most room"


def _currencies(plan: Plan, request: EstimateRequest) -> str:
    return (
        f"{plan.id} has its prices in {plan.book.currency}, and `currency`, which the request's rates are in, is "
        f"{request.currency}: amounts of different currencies are not added"
    )


def _with_own(books: Books, request: EstimateRequest) -> Books:
    if request.book is None:
        return books
    if request.book.currency != request.currency:
        limit = f"must be {request.currency}, for the other prices are; it is {request.book.currency}"
        raise refused("book.currency", limit)
    return books.with_book(request.book)


def _hosted(books: Books, request: EstimateRequest) -> list[Plan]:
    assert request.on is not None
    plans = books.hosted(request.on, request.currency)
    return [plan for plan in plans if plan.terms.base is not None and not plan.terms.hard_cap]


def line_answer(line: RatedLine) -> EstimateLine:
    """A rated line as it is told."""
    return EstimateLine(
        meter=line.meter,
        unit=line.unit,
        quantity=text(line.quantity),
        allowance=text(line.allowance),
        overage=text(line.overage),
        unit_price=None if line.unit_price is None else text(line.unit_price),
        per=line.per,
        exact=None if line.exact is None else text(line.exact),
        amount=None if line.amount is None else money(line.amount),
        source=line.source,
        note=line.note,
    )


def _per(option: Option) -> dict[str, str | None]:
    request, total = option.request, option.total
    hours = request.meetings * Fraction(request.minutes) / 60
    minutes = hours * 60 * (request.humans + request.agents)
    units = {"per_meeting": Fraction(request.meetings), "per_hour": hours, "per_participant_minute": minutes}
    if total is None:
        return dict.fromkeys(units)
    return {name: unit_cost(Fraction(total) / unit) if unit else None for name, unit in units.items()}


def _concurrency(request: EstimateRequest) -> Concurrency:
    peak = at_once(request)
    basis = (
        "as given"
        if request.peak.meetings is not None
        else f"mean over {text(request.peak.hours_per_month)} working hours × {text(request.peak.factor)}, rounded up"
    )
    return Concurrency(
        mean_meetings=text(peak.mean, 2),
        peak_meetings=peak.meetings,
        agent_sessions=peak.agents,
        connections=peak.connections,
        basis=basis,
    )


def _agent_minute(option: Option) -> AgentMinute | None:
    minutes = agent_minutes(option.request)
    if not minutes:
        return None
    parts = [(name, cost) for name, cost in _components(option, minutes) if cost]
    total = sum((cost for _, cost in parts), Fraction(0))
    components = [Component(component=name, usd_per_minute=text(cost)) for name, cost in parts]
    return AgentMinute(components=components, total=text(total), per_hour=text(total * 60))


def _components(option: Option, minutes: Fraction) -> Iterator[tuple[str, Fraction]]:
    session = option.plan.terms.rates.get("agent_session_minutes")
    if session is not None and session.unit_price is not None and option.request.agents_on == "cloud":
        yield "agent_session", Fraction(session.unit_price) / session.per
    work = workload(option.plan.book.kind, option.request)
    for part in _PER_AGENT_MINUTE:
        charge = work.charges.get(f"{part}_minutes")
        if charge is not None and charge.rate.unit_price is not None:
            each = work.each.get(f"{part}_minutes", Fraction(0))
            yield part.removesuffix("_audio"), each / minutes * Fraction(charge.rate.unit_price)


def _build_or_buy(option: Option, books: Books) -> list[BuildOrBuy]:
    request, build = option.request, option.request.build
    if build is None or request.on is None:
        return []
    buy = price(books.plan(RECORDING_BOT, request.on), request)
    if buy.in_other_currency:
        return []
    own = request.model_copy(update={"agents_on": "own"})
    hosting = build.self_host_effort_usd if build.self_host_effort_usd is not None else build.effort_usd
    self_hosted = price(books.plan(SELF_HOSTED, request.on), request)
    ways = [(option, Fraction(build.effort_usd))] if option.plan.book.kind == "livekit-cloud" else []
    if ways and request.agents_on == "cloud":
        ways.append((price(option.plan, own), Fraction(build.effort_usd)))
    ways = [*ways, (self_hosted, Fraction(hosting))]
    return break_even.pay_back([way for way in ways if not way[0].in_other_currency], buy)
