"""From meetings to quantities: what each kind of plan would meter, for one meeting and for the month."""

from dataclasses import dataclass
from fractions import Fraction

from roomscribe_common.contracts.pricing.price_book import Rate
from roomscribe_common.contracts.pricing.request import EstimateRequest

from roomscribe_usage_metering.domain.quantise import in_billed_units, quantise
from roomscribe_usage_metering.pricing.cluster import default_inputs, gigabytes, nodes
from roomscribe_usage_metering.pricing.exact import ceil
from roomscribe_usage_metering.pricing.rating import OWN_AGENTS, Charge

_MINUTE_MS = 60_000
Quantities = dict[str, Fraction]


@dataclass(frozen=True, slots=True)
class AtOnce:
    """What there is at the busiest time. `mean` is of meetings, over the working hours."""

    mean: Fraction
    meetings: int
    agents: int
    connections: int


@dataclass(frozen=True, slots=True)
class Workload:
    """Quantities that grow with each meeting, those that do not, and the prices that are not the plan's."""

    each: Quantities
    fixed: Quantities
    charges: dict[str, Charge]

    def of(self, meetings: Fraction | int) -> Quantities:
        """The month's quantities for so many meetings."""
        meters = {**self.fixed, **self.each}
        zero = Fraction(0)
        return {meter: self.fixed.get(meter, zero) + meetings * self.each.get(meter, zero) for meter in meters}


def at_once(request: EstimateRequest) -> AtOnce:
    """The peak: as given, or the mean over the working hours times a factor; never more than there are meetings."""
    peak = request.peak
    mean = request.meetings * Fraction(request.minutes) / 60 / Fraction(peak.hours_per_month)
    meetings = peak.meetings if peak.meetings is not None else min(request.meetings, ceil(mean * Fraction(peak.factor)))
    return AtOnce(mean, meetings, meetings * request.agents, meetings * (request.humans + request.agents))


def workload(kind: str, request: EstimateRequest) -> Workload:
    """What a plan of that kind meters of these meetings, and what the models take."""
    (each, charges), fixed = _models(request), Quantities()
    match kind:
        case "meeting-bot":
            each["recording_hours"] = Fraction(request.minutes) / 60
        case "self-hosted":
            fixed.update(_cluster(request))
            people = Rate(unit_price=request.self_hosted.usd_per_people_hour, note="people who run the cluster")
            charges["people_hours"] = Charge(people)
        case _:
            each.update(_hosted(request))
            if request.agents_on == "own" and request.own_agents.usd_per_month is not None:
                fixed[OWN_AGENTS] = Fraction(1)
                machines = Rate(unit_price=request.own_agents.usd_per_month, note="machines for the agents")
                charges[OWN_AGENTS] = Charge(machines)
    if request.bandwidth is not None and kind != "meeting-bot":
        each["downstream_gb"] = gigabytes(_mbps(request), Fraction(request.minutes) / 60)
    for meter, quantity in request.usage.items():
        fixed[meter] = fixed.get(meter, Fraction(0)) + Fraction(quantity)
    return Workload(each, fixed, charges)


def agent_minutes(request: EstimateRequest) -> Fraction:
    """Minutes of all agents in one meeting, not rounded."""
    return Fraction(request.minutes) * request.agents


def stt_minutes(request: EstimateRequest) -> Fraction:
    """Minutes of audio recognised in one meeting: nothing without an agent."""
    if not request.agents:
        return Fraction(0)
    if request.stt.basis == "spoken":
        return Fraction(request.minutes) * Fraction(request.stt.spoken_share)
    streams = 1 if request.stt.basis == "mixed" else request.humans
    seconds = quantise("stt_audio_minutes", "livekit", _ms(request))
    return Fraction(seconds, 60) * streams


def _ms(request: EstimateRequest) -> int:
    return ceil(Fraction(request.minutes) * _MINUTE_MS)


def _hosted(request: EstimateRequest) -> Quantities:
    started = quantise("webrtc_participant_minutes", "livekit", _ms(request))
    billed = Fraction(in_billed_units("webrtc_participant_minutes", "livekit", started))
    if request.durations == "spread":
        billed = Fraction(request.minutes) + Fraction(1, 2)
    on_cloud = request.agents if request.agents_on == "cloud" else 0
    return {
        "webrtc_participant_minutes": billed * (request.humans + request.agents),
        "agent_session_minutes": billed * on_cloud,
    }


def _cluster(request: EstimateRequest) -> Quantities:
    inputs, peak = default_inputs(), at_once(request)
    needed, hours = nodes(inputs, peak.meetings, Fraction(peak.connections)), inputs["hours_per_month"]
    return {
        "livekit_node_hours": needed.livekit * hours,
        "agent_node_hours": needed.agent * hours,
        "system_node_hours": needed.system * hours,
        "people_hours": Fraction(request.self_hosted.people_hours_per_month),
    }


def _mbps(request: EstimateRequest) -> Fraction:
    if request.bandwidth is None:
        return Fraction(0)
    people = request.humans * Fraction(request.bandwidth.human_mbps)
    return people + request.agents * Fraction(request.bandwidth.agent_mbps)


def _models(request: EstimateRequest) -> tuple[Quantities, dict[str, Charge]]:
    """Minutes and tokens of models, with the request's prices."""
    each: Quantities = {"stt_audio_minutes": stt_minutes(request)}
    charges = {"stt_audio_minutes": Charge(Rate(unit_price=request.stt.usd_per_minute, note=_STT[request.stt.basis]))}
    agents = agent_minutes(request)
    if request.mode == "copilot":
        each["tts_audio_minutes"] = agents * Fraction(request.tts.talk_share)
        charges["tts_audio_minutes"] = Charge(Rate(unit_price=request.tts.usd_per_minute, note="the agent speaks"))
    for name, given in (("telephony", request.telephony), ("observability", request.observability)):
        if given is not None:
            each[f"{name}_minutes"] = agents
            charges[f"{name}_minutes"] = Charge(Rate(unit_price=given.usd_per_minute))
    if (llm := request.llm) is not None:
        each["llm_minutes"] = agents if llm.usd_per_minute else Fraction(0)
        each["llm_input_tokens"] = Fraction(llm.input_tokens_per_meeting)
        each["llm_output_tokens"] = Fraction(llm.output_tokens_per_meeting)
        charges["llm_minutes"] = Charge(Rate(unit_price=llm.usd_per_minute))
        charges["llm_input_tokens"] = Charge(Rate(unit_price=llm.usd_per_million_input, per=1_000_000))
        charges["llm_output_tokens"] = Charge(Rate(unit_price=llm.usd_per_million_output, per=1_000_000))
    return each, charges


_STT = {
    "mixed": "one mixed stream for each meeting",
    "per_track": "one stream for each person, open all the time",
    "spoken": "only while somebody speaks",
}
