"""Says when the wall clock was set. We measure on the monotonic one; what is dated by the other leaps with it."""

import asyncio
import logging
import time
from typing import Final

from opentelemetry.metrics import Meter

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 1.0
_TOLERATED_S: Final = 2.0
"""Time servers correct a clock by less; an operator should know of more."""


async def watch_clock(meter: Meter, every_s: float = LOOK_EVERY_S) -> None:
    """Logs every leap of the wall clock as an error and counts it, until cancelled."""
    leaps = meter.create_counter(
        "roomscribe_clock_leaps", description="Times the wall clock was set by seconds or more"
    )
    known_s = _ahead_s()
    while True:
        await asyncio.sleep(every_s)
        ahead_s = _ahead_s()
        by_s = ahead_s - known_s
        known_s = ahead_s
        if abs(by_s) > _TOLERATED_S:
            leaps.add(1)
            message = "the clock was set back" if by_s < 0 else "the clock was set forward"
            log.error(message, extra={"by_s": round(abs(by_s), 3)})


def _ahead_s() -> float:
    return time.time() - time.monotonic()
