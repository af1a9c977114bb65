"""The most that ran at once in a period, beside what the plan serves: for information, and never charged. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from roomscribe_common.contracts.billing import Peak
from roomscribe_common.contracts.pricing.price_book import Ceilings
from roomscribe_common.contracts.usage import Meter

from roomscribe_usage_metering.domain.concurrency import most_at_once
from roomscribe_usage_metering.domain.lines import instant

METERS: dict[Meter, Literal["agent_sessions", "connections"]] = {
    "agent_session_minutes": "agent_sessions",
    "webrtc_participant_minutes": "connections",
}
"""What is counted, by the meter whose lines are its intervals."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A line's time in a period. The start is not known of what was booked before starts were kept."""

    meter: Meter
    start_ms: int | None
    quantity_ms: int


def peaks(ran: Iterable[Ran], ceilings: Ceilings) -> list[Peak]:
    """One for each of `METERS` of which anything ran, unless it is not known when all of it did."""
    by_meter: dict[Meter, list[Ran]] = defaultdict(list)
    for one in ran:
        by_meter[one.meter].append(one)
    found: list[Peak] = []
    for meter, what in METERS.items():
        known = [(one.start_ms, one.start_ms + one.quantity_ms) for one in by_meter[meter] if one.start_ms is not None]
        most = most_at_once(known) if len(known) == len(by_meter[meter]) else None
        if most is not None:
            found.append(Peak(what=what, most=most[0], at=instant(most[1]), ceiling=getattr(ceilings, what)))
    return found


def told(found: Iterable[Peak]) -> Iterator[str]:
    """The same in sentences."""
    for one in found:
        said = f"At most {one.most:,} {one.what.replace('_', ' ')} ran at once, first at {one.at:%Y-%m-%d %H:%M:%S} UTC"
        if one.ceiling is None:
            yield f"{said}."
        elif one.most > one.ceiling:
            yield f"{said}: more than the {one.ceiling:,} that the plan serves."
        else:
            yield f"{said}; the plan serves {one.ceiling:,}."
