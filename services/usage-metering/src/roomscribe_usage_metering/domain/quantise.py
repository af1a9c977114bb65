"""From what was measured to what is billed. The one place where usage is rounded."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Literal, get_args

from roomscribe_common.contracts.usage import Meter

Policy = Literal["livekit", "second", "exact"]
"""`livekit` is what is billed; the others are for whoever rounds by the second, or not at all."""
Unit = Literal["ms", "bytes", "tokens", "characters"]
BilledUnit = Literal["minutes", "gb", "tokens", "characters"]

METERS: tuple[Meter, ...] = get_args(Meter)
_PLACES = Decimal("1e-12")
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Rule:
    """Measured units are rounded up to whole steps of `step`; `per` of those steps make one billed unit."""

    step: int
    per: int
    unit: Unit
    billed_unit: BilledUnit


STARTED_MINUTE = Rule(step=60_000, per=1, unit="ms", billed_unit="minutes")
STARTED_SECOND = Rule(step=1_000, per=60, unit="ms", billed_unit="minutes")
MILLISECOND = Rule(step=1, per=60_000, unit="ms", billed_unit="minutes")
# A GB is 10^9 bytes. LiveKit does not say what its hundredths are counted over: here it is each connection.
STARTED_10_MB = Rule(step=10_000_000, per=100, unit="bytes", billed_unit="gb")
BYTE = Rule(step=1, per=10**9, unit="bytes", billed_unit="gb")
TOKEN = Rule(step=1, per=1, unit="tokens", billed_unit="tokens")
CHARACTER = Rule(step=1, per=1, unit="characters", billed_unit="characters")


def _rules(connected: Rule, audio: Rule, downstream: Rule) -> dict[Meter, Rule]:
    return {
        "webrtc_participant_minutes": connected,
        "agent_session_minutes": connected,
        "downstream_gb": downstream,
        "stt_audio_minutes": audio,
        "tts_characters": CHARACTER,
        "llm_input_tokens": TOKEN,
        "llm_cached_input_tokens": TOKEN,
        "llm_output_tokens": TOKEN,
        "transcode_minutes": connected,
        "track_egress_minutes": connected,
    }


RULES: dict[Policy, dict[Meter, Rule]] = {
    # docs.livekit.io/deploy/admin/billing: each resource is rounded up before the sum; 10 s → 1 min, 70 s → 2 min.
    "livekit": _rules(STARTED_MINUTE, STARTED_SECOND, STARTED_10_MB),
    "second": _rules(STARTED_SECOND, STARTED_SECOND, STARTED_10_MB),
    "exact": _rules(MILLISECOND, MILLISECOND, BYTE),
}


def quantise(meter: Meter, policy: Policy, quantity: int) -> int:
    """Whole steps billed for `quantity` (in the rule's unit) of one connection, session, stream or model."""
    return -(-quantity // RULES[policy][meter].step)


def in_billed_units(meter: Meter, policy: Policy, steps: int) -> Decimal:
    """Steps in billed units: exact, or to 12 places where sixtieths of a minute have no end.

    Add steps first and convert the sum, so that a total never carries the rounding of its lines.
    """
    exact = _CONTEXT.divide(Decimal(steps), Decimal(RULES[policy][meter].per))
    return _CONTEXT.quantize(exact, _PLACES)


def decimal_text(value: Decimal) -> str:
    """The number as plain digits: no exponent, no trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
