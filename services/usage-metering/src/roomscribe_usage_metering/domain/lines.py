"""How something measured becomes a line of the ledger."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from roomscribe_common.contracts.usage import Meter, UsageLine

from roomscribe_usage_metering.domain.quantise import RULES, Policy, decimal_text, in_billed_units, quantise

POLICY: Policy = "livekit"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Measured:
    """How much, from when to when, and what the end rests on."""

    meter: Meter
    quantity: int
    start_ms: int
    end_ms: int
    basis: str
    open: bool = False


def line(line_id: str, subject: str, identity: str, measured: Measured) -> UsageLine:
    """The line with what is billed for it."""
    steps = quantise(measured.meter, POLICY, measured.quantity)
    billed_unit = RULES[POLICY][measured.meter].billed_unit
    return UsageLine(
        line_id=line_id,
        meter=measured.meter,
        subject=subject,
        identity=identity,
        started_at=instant(measured.start_ms),
        ended_at=instant(measured.end_ms),
        open=measured.open,
        basis=measured.basis,
        quantity=measured.quantity,
        unit="tokens" if billed_unit == "tokens" else "ms",
        billed=decimal_text(in_billed_units(measured.meter, POLICY, steps)),
        billed_unit=billed_unit,
    )


def instant(ms: int) -> datetime:
    """Epoch milliseconds as a UTC time, without going through floats."""
    return _EPOCH + timedelta(milliseconds=ms)


def epoch_ms(at: datetime) -> int:
    """The other way round; what is below a millisecond is dropped."""
    return (at - _EPOCH) // timedelta(milliseconds=1)
