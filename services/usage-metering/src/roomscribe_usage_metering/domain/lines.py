"""A line of the ledger: one connection, session, stream or model, what was measured of it and what is billed."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from roomscribe_common.contracts.usage import Meter, Quality, UsageLine

from roomscribe_usage_metering.domain.quantise import RULES, decimal_text, in_billed_units, quantise

POLICY: Literal["livekit"] = "livekit"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Part = tuple[int, int]
"""When, and how much of the meter's unit."""


@dataclass(frozen=True, slots=True)
class Line:
    """What was measured, in whole ms, bytes, tokens or characters. Times are epoch milliseconds.

    A timed line has no `parts`: it grows by `per_ms` each millisecond from `start_ms` until it has its `quantity`.
    A counted line is the sum of its `parts`, sorted by time.
    """

    line_id: str
    meter: Meter
    subject: str
    identity: str
    quantity: int
    start_ms: int
    end_ms: int
    basis: str
    quality: Quality = "measured"
    open: bool = False
    per_ms: int = 1
    parts: tuple[Part, ...] = ()

    @property
    def steps(self) -> int:
        """Whole steps billed for all of it."""
        return quantise(self.meter, POLICY, self.quantity)


def to_usage_line(line: Line) -> UsageLine:
    """The line as it is told."""
    rule = RULES[POLICY][line.meter]
    return UsageLine(
        line_id=line.line_id,
        meter=line.meter,
        subject=line.subject,
        identity=line.identity,
        started_at=instant(line.start_ms),
        ended_at=instant(line.end_ms),
        open=line.open,
        basis=line.basis,
        quality=line.quality,
        quantity=line.quantity,
        unit=rule.unit,
        billed=decimal_text(in_billed_units(line.meter, POLICY, line.steps)),
        billed_unit=rule.billed_unit,
    )


def instant(ms: int) -> datetime:
    """Epoch milliseconds as a UTC time, without going through floats."""
    return _EPOCH + timedelta(milliseconds=ms)


def epoch_ms(at: datetime) -> int:
    """The other way round; what is below a millisecond is dropped."""
    return (at - _EPOCH) // timedelta(milliseconds=1)
