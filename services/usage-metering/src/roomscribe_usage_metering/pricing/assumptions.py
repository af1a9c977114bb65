"""Every figure an estimate rests on, and where it comes from."""

from collections.abc import Iterator, Mapping
from typing import cast

from roomscribe_common.contracts.pricing.estimate import Assumption
from roomscribe_common.contracts.pricing.numbers import plain
from roomscribe_common.contracts.pricing.request import EstimateRequest

from roomscribe_usage_metering.pricing.books import Plan
from roomscribe_usage_metering.pricing.cluster import default_inputs, defaults
from roomscribe_usage_metering.pricing.exact import text

_ARTICLE = "LiveKit's article on meeting assistants, 2026-06-02"
_OURS = "our choice: put in your own"
_SOURCES: Mapping[str, tuple[str, str]] = {
    "agents": ("article", _ARTICLE),
    "mode": ("article", _ARTICLE),
    "stt.basis": ("article", _ARTICLE + ": one mixed stream"),
    "stt.usd_per_minute": ("article", _ARTICLE + "; its voice stack has 0.0058"),
    "stt.spoken_share": ("chosen", "share of a meeting in which somebody speaks; " + _OURS),
    "tts.usd_per_minute": ("article", _ARTICLE),
    "tts.talk_share": ("article", _ARTICLE + ": the agent speaks all the time"),
    "bandwidth.human_mbps": ("chosen", "what a person receives; " + _OURS),
    "bandwidth.agent_mbps": ("chosen", "what an agent receives; " + _OURS),
    "peak.hours_per_month": ("chosen", "22 days of 8 hours"),
    "peak.factor": ("chosen", "the peak is three times the mean; " + _OURS),
    "agents_on": ("article", _ARTICLE),
    "durations": ("article", _ARTICLE + ": every meeting ends on the minute"),
}
_CLUSTER = ("participants_per_livekit_node", "sessions_per_agent_node", "ha_floor_livekit", "ha_floor_agent")


def assumptions(plan: Plan, request: EstimateRequest) -> list[Assumption]:
    """Given ones first, then defaults, then what the plan is."""
    found = [*_of_request(request), *_of_plan(plan)]
    if plan.book.kind == "self-hosted":
        found += [*_of_cluster()]
    return sorted(found, key=lambda one: one.provenance != "given")


def _of_request(request: EstimateRequest) -> Iterator[Assumption]:
    given = dict(_leaves(request.model_dump(exclude_unset=True, exclude={"book", "on", "plan", "currency", "swing"})))
    for name, value in given.items():
        yield Assumption(name=name, value=value, provenance="given", source="request")
    everything = dict(_leaves(request.model_dump(include={name.partition(".")[0] for name in _SOURCES})))
    for name, (provenance, source) in _SOURCES.items():
        value = everything.get(name)
        if name in given or value is None or _idle(name, request):
            continue
        yield Assumption.model_validate({"name": name, "value": value, "provenance": provenance, "source": source})


def _idle(name: str, request: EstimateRequest) -> bool:
    """Whether the figure plays no part."""
    if name.startswith("tts."):
        return request.mode != "copilot"
    if name == "stt.spoken_share":
        return request.stt.basis != "spoken"
    return name.startswith("peak.") and request.peak.meetings is not None


def _leaves(values: Mapping[str, object], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(cast(Mapping[str, object], value), f"{before}{name}.")
        elif value is not None:
            yield f"{before}{name}", str(value)


def _of_plan(plan: Plan) -> Iterator[Assumption]:
    source, status = plan.book.source, plan.book.source.status
    provenance = "placeholder" if status == "placeholder" else "list"
    for meter, rate in plan.terms.rates.items():
        if rate.unit_price is not None:
            per = f" for each {rate.per:,}" if rate.per > 1 else ""
            free = f" beyond {text(rate.included)}" if rate.included else ""
            value = f"{plain(rate.unit_price)}{per}{free}"
            yield Assumption(name=f"{plan.id}.{meter}", value=value, provenance=provenance, source=source.text)


def _of_cluster() -> Iterator[Assumption]:
    figures = defaults().inputs["capacity"]
    for name in _CLUSTER:
        one = figures[name]
        value = text(default_inputs()[name])
        yield Assumption(
            name=f"cluster.{name}", value=value, provenance=one.provenance, source=one.note or "cost model"
        )
