"""A second pricing, written from the price list alone: whole numbers, one unit of money being 10^-12 dollars.

It knows nothing of the engine and is slow on purpose: no shared code, no fractions, no decimals.
"""

MICRO = 10**12
_CENT = 10**10

Money = int
PLANS: dict[str, dict[str, tuple[int, Money]]] = {
    "livekit-cloud-ship": {
        "webrtc_participant_minutes": (150_000, 5 * 10**8),
        "agent_session_minutes": (5_000, 10**10),
        "downstream_gb": (250, 12 * 10**10),
    },
    "livekit-cloud-scale": {
        "webrtc_participant_minutes": (1_500_000, 4 * 10**8),
        "agent_session_minutes": (50_000, 10**10),
        "downstream_gb": (3_000, 10 * 10**10),
    },
}
BASE = {"livekit-cloud-ship": 50 * MICRO, "livekit-cloud-scale": 500 * MICRO}
STT = 6 * 10**9


def line_cents(seconds_of_a_unit: int, units_per: int, included: int, price: Money) -> int:
    """Cents for a quantity given in parts of a unit (sixtieths, say), half a cent rounded up."""
    beyond = seconds_of_a_unit - included * units_per
    if beyond <= 0:
        return 0
    cents, rest = 0, beyond * price
    whole = _CENT * units_per
    cents += rest // whole
    rest -= cents * whole
    return cents + 1 if rest * 2 >= whole else cents


def total_cents(plan: str, parts: dict[str, int], stt_parts: int, units_per: int) -> int:
    """The month's cents for quantities in parts of a unit, with speech to text at the article's price."""
    cents = BASE[plan] // _CENT
    for meter, (included, price) in PLANS[plan].items():
        cents += line_cents(parts.get(meter, 0), units_per, included, price)
    return cents + line_cents(stt_parts, units_per, 0, STT)


def share_out(cents: int, weights: dict[str, int]) -> dict[str, int]:
    """Cents one at a time to whoever lacks most of what is due to it: largest remainder, by hand."""
    total = sum(weights.values())
    parts = {name: cents * weight // total for name, weight in weights.items()}
    while sum(parts.values()) < cents:
        lacking = {name: cents * weights[name] - parts[name] * total for name in weights}
        parts[min(lacking, key=lambda name: (-lacking[name], name))] += 1
    return parts
