"""What a reader of an estimate would trip over: what is left out, and where the source's words and sums disagree."""

from collections.abc import Callable
from decimal import Decimal

from roomscribe_common.contracts.pricing.estimate import Notice
from roomscribe_common.contracts.pricing.price_book import MODEL_METERS
from roomscribe_common.contracts.pricing.request import Bandwidth

from roomscribe_usage_metering.pricing.exact import dollars, money, shown, text
from roomscribe_usage_metering.pricing.options import Option, price
from roomscribe_usage_metering.pricing.rating import RatedLine

ARTICLE_RATES = (Decimal("0.006"), Decimal("0.0058"))
_TENTH = Decimal("0.1")
_MEDIA_EXTRAS = frozenset({"transcode_minutes", "track_egress_minutes", "sip_minutes", "recording_hours"})


def notices(option: Option) -> list[Notice]:
    """Those that concern this estimate."""
    found = (write(option) for write in _WRITERS)
    return [one for one in found if one is not None]


def left_out(option: Option) -> list[str]:
    """What the total does not count, in a few words each."""
    request, kind = option.request, option.plan.book.kind
    out = {
        "bandwidth": not _traffic_priced(option) and kind != "meeting-bot",
        "the plan's model credit": not request.use_model_credit and option.plan.terms.model_credit > 0,
        "the language model": not _model_priced(option),
        "machines for your own agents": request.agents_on == "own" and request.own_agents.usd_per_month is None,
        "people who run the cluster": kind == "self-hosted" and not request.self_hosted.people_hours_per_month,
        "transcode, SIP and recording": not _MEDIA_EXTRAS & request.usage.keys(),
    }
    return [name for name, absent in out.items() if absent]


def _traffic_given(option: Option) -> bool:
    return option.request.bandwidth is not None or "downstream_gb" in option.request.usage


def _traffic_priced(option: Option) -> bool:
    return _traffic_given(option) and all(line.meter != "downstream_gb" for line in option.bill.unpriced)


def _model_priced(option: Option) -> bool:
    """Whether there is a price for what the language model is said to take."""
    llm = option.request.llm
    return llm is not None and bool(
        llm.usd_per_minute
        or (llm.input_tokens_per_meeting and llm.usd_per_million_input)
        or (llm.output_tokens_per_meeting and llm.usd_per_million_output)
    )


def _line(option: Option, meter: str) -> RatedLine | None:
    return next((line for line in option.bill.lines if line.meter == meter), None)


def _other(option: Option, about: str, said: str, **update: object) -> Notice | None:
    """A notice with the total of the request changed by `update`."""
    other = price(option.plan, option.request.model_copy(update=update))
    if other.total is None:
        return Notice(about=about, text=said)
    return Notice(about=about, text=f"{said} Total then: {dollars(other.total)}.", total=money(other.total))


def _both_fit(option: Option) -> Notice | None:
    connections, agents = _line(option, "webrtc_participant_minutes"), _line(option, "agent_session_minutes")
    if connections is None or agents is None or connections.overage or not agents.overage:
        return None
    said = (
        "The article says of its two meters that both fit inside the included allowances, and in the same sentence "
        "that agent minutes exceed theirs. Its sums are right, its words are not: only connection minutes fit; "
        f"{shown(agents.overage)} agent minutes are beyond the {shown(agents.allowance)} included"
        + (f" and cost {dollars(agents.amount)}." if agents.amount is not None else ".")
    )
    return Notice(about="agent_session_minutes", text=said)


def _one_stream(option: Option) -> Notice | None:
    request = option.request
    if request.stt.basis != "mixed" or request.humans < 2 or not request.agents:
        return None
    said = (
        "One mixed stream of speech to text for each meeting is the article's sum, though it says that tracks are "
        f"transcribed each on its own. {request.humans} tracks open all the time are {request.humans} times as many "
        "minutes."
    )
    return _other(option, "stt.basis", said, stt=request.stt.model_copy(update={"basis": "per_track"}))


def _spoken(option: Option) -> Notice | None:
    if option.request.stt.basis != "spoken":
        return None
    said = (
        "LiveKit Inference meters speech to text by the time a stream is connected: only closing idle streams saves "
        "there, holding audio back does not. By spoken time you pay where audio sent is metered."
    )
    return Notice(about="stt.basis", text=said)


def _two_rates(option: Option) -> Notice | None:
    given = option.request.stt.usd_per_minute
    if given not in ARTICLE_RATES:
        return None
    other = ARTICLE_RATES[1 - ARTICLE_RATES.index(given)]
    said = f"The article has two prices for speech to text: {given} here and {other} elsewhere in it."
    stt = option.request.stt.model_copy(update={"usd_per_minute": other})
    return _other(option, "stt.usd_per_minute", said, stt=stt)


def _credit(option: Option) -> Notice | None:
    models = any(line.meter in MODEL_METERS and line.amount for line in option.bill.lines)
    if option.request.use_model_credit or not models or not option.plan.terms.model_credit:
        return None
    credit = money(option.plan.terms.model_credit)
    said = f"The plan's credit of {credit} is not used; it counts only if models run through the plan's own inference."
    return _other(option, "use_model_credit", said, use_model_credit=True)


def _bandwidth(option: Option) -> Notice | None:
    request = option.request
    if _traffic_given(option) or option.plan.book.kind == "meeting-bot":
        return None
    media = Bandwidth()
    used = price(option.plan, request.model_copy(update={"bandwidth": media}))
    line = _line(used, "downstream_gb")
    gigabytes = shown(line.quantity, 2) if line else "0"
    said = (
        f"Bandwidth is left out, as in the article. At {media.human_mbps} Mbit/s a person and {media.agent_mbps} an "
        f"agent (assumed) it is {gigabytes} GB."
    )
    if line is not None and line.amount is None and not option.plan.terms.hard_cap:
        return Notice(about="bandwidth", text=f"{said} {option.plan.book.name} has no price for it.")
    return _other(option, "bandwidth", said, bandwidth=media)


def _language_model(option: Option) -> Notice | None:
    if _model_priced(option):
        return None
    said = "The language model is left out, as in the article: give its prices in `llm` to count it."
    return Notice(about="llm", text=said)


def _talks_always(option: Option) -> Notice | None:
    request = option.request
    if request.mode != "copilot" or request.tts.talk_share <= _TENTH or not request.agents:
        return None
    tts = request.tts.model_copy(update={"talk_share": _TENTH})
    said = (
        f"Speech of the agent is counted for {text(request.tts.talk_share * 100)}% of the meeting. The article counts "
        "every minute, as for an agent on the phone; in a meeting it speaks less. At 10%:"
    )
    return _other(option, "tts.talk_share", said, tts=tts)


def _even_minutes(option: Option) -> Notice | None:
    request = option.request
    if request.durations == "spread" or option.plan.book.kind != "livekit-cloud" or request.minutes % 1:
        return None
    spread = request.model_copy(update={"durations": "spread"})
    lines = {line.meter: line.quantity for line in option.bill.lines}
    more = {line.meter: line.quantity - lines.get(line.meter, 0) for line in price(option.plan, spread).bill.lines}
    said = (
        f"Meetings of exactly {text(request.minutes)} minutes hide that each connection is rounded up to a started "
        f"minute. If they end anywhere: {shown(more.get('webrtc_participant_minutes', 0))} connection and "
        f"{shown(more.get('agent_session_minutes', 0))} agent minutes more."
    )
    return _other(option, "durations", said, durations="spread")


def _stack(option: Option) -> Notice | None:
    if option.request.telephony is None and option.request.observability is None:
        return None
    said = "Telephony and observability stand in the article's voice stack, but are not among its three meters."
    return Notice(about="telephony", text=said)


def _workers(option: Option) -> Notice | None:
    if option.request.agents_on != "own" or option.request.own_agents.usd_per_month is not None:
        return None
    said = (
        "Agents on machines of your own use none of LiveKit's agent session minutes. What the machines cost is left "
        "out: give `own_agents.usd_per_month`."
    )
    return Notice(about="own_agents.usd_per_month", text=said)


def _cluster(option: Option) -> Notice | None:
    if option.plan.book.kind != "self-hosted":
        return None
    said = (
        "Placeholder prices. Nodes are sized for the peak and paid for all hours of the month; one node of a kind is "
        "not high availability; people cost what you give in `self_hosted`."
    )
    return Notice(about="plan", text=said)


def _before_the_reading(option: Option) -> Notice | None:
    on, read_on = option.request.on, option.plan.book.source.read_on
    if on is None or read_on is None or on >= read_on or option.plan.terms.valid_from is not None:
        return None
    said = (
        f"The prices of {option.plan.source} were read on {read_on}. Since when they hold is not known, so that those "
        f"of {on} may have been others."
    )
    return Notice(about="on", text=said)


_WRITERS: tuple[Callable[[Option], Notice | None], ...] = (
    _both_fit,
    _one_stream,
    _spoken,
    _two_rates,
    _credit,
    _bandwidth,
    _language_model,
    _talks_always,
    _even_minutes,
    _stack,
    _workers,
    _cluster,
    _before_the_reading,
)
