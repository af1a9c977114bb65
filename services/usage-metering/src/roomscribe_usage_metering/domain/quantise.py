"""From what was measured to what is billed. The one place where usage is rounded."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Literal

from roomscribe_common.contracts.usage import Meter

Policy = Literal["livekit"]

_PLACES = Decimal("1e-12")
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Rule:
    """Measured units are rounded up to whole steps of `step`; `per` of those steps make one billed unit."""

    step: int
    per: int
    billed_unit: Literal["minutes", "tokens"]


STARTED_MINUTE = Rule(step=60_000, per=1, billed_unit="minutes")
STARTED_SECOND = Rule(step=1_000, per=60, billed_unit="minutes")
TOKEN = Rule(step=1, per=1, billed_unit="tokens")

RULES: dict[Policy, dict[Meter, Rule]] = {
    # docs.livekit.io/deploy/admin/billing: each resource is rounded up before the sum; 10 s → 1 min, 70 s → 2 min.
    "livekit": {
        "webrtc_participant_minutes": STARTED_MINUTE,
        "agent_session_minutes": STARTED_MINUTE,
        "stt_audio_minutes": STARTED_SECOND,
        "llm_input_tokens": TOKEN,
        "llm_output_tokens": TOKEN,
    }
}


def quantise(meter: Meter, policy: Policy, quantity: int) -> int:
    """Whole steps billed for `quantity` (ms or tokens) of one connection, session, stream or model."""
    return -(-quantity // RULES[policy][meter].step)


def in_billed_units(meter: Meter, policy: Policy, steps: int) -> Decimal:
    """Steps as minutes or tokens: exact, or to 12 places where sixtieths of a minute have no end.

    Add steps first and convert the sum, so that a total never carries the rounding of its lines.
    """
    exact = _CONTEXT.divide(Decimal(steps), Decimal(RULES[policy][meter].per))
    return _CONTEXT.quantize(exact, _PLACES)


def decimal_text(value: Decimal) -> str:
    """The number as plain digits: no exponent, no trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
