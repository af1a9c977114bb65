"""Gigabytes that LiveKit sends to a connection. It does not tell them by room, so most of them are estimated."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from roomscribe_common.contracts.usage import Meter

from roomscribe_usage_metering.domain.connections import Connection
from roomscribe_usage_metering.domain.counters import counted_line
from roomscribe_usage_metering.domain.evidence import AgentSeen
from roomscribe_usage_metering.domain.growth import Reading, increments
from roomscribe_usage_metering.domain.lines import Line

METER: Meter = "downstream_gb"


@dataclass(frozen=True, slots=True)
class Bitrates:
    """What a connection is taken to receive, as estimates take it: 1.2 Mbit/s a person, 0.2 an agent, who only hears.

    A byte a millisecond is 8 kbit/s.
    """

    person_bytes_per_ms: int = 150
    agent_bytes_per_ms: int = 25


BITRATES = Bitrates()


def downstream_lines(connections: Iterable[Connection], signs: Iterable[AgentSeen], bitrates: Bitrates) -> list[Line]:
    """One line per connection: measured where its own client counted, estimated elsewhere."""
    counted: dict[str, list[Reading]] = defaultdict(list)
    for sign in signs:
        if sign.received_bytes is not None:
            counted[sign.participant_sid].append((sign.joined_ms + sign.uptime_ms, sign.received_bytes))
    found: list[Line] = []
    for one in connections:
        line_id, sid = f"downstream:{one.participant_sid}", one.participant_sid
        if sid not in counted:
            found.append(_estimated(line_id, one, bitrates))
        elif parts := increments(counted[sid]):
            found.append(counted_line(line_id, METER, sid, parts, "counters"))
    return found


def _estimated(line_id: str, connection: Connection, bitrates: Bitrates) -> Line:
    rate = bitrates.agent_bytes_per_ms if connection.kind == "AGENT" else bitrates.person_bytes_per_ms
    return Line(
        line_id=line_id,
        meter=METER,
        subject=connection.participant_sid,
        identity=connection.identity,
        quantity=connection.duration_ms * rate,
        start_ms=connection.start_ms,
        end_ms=connection.end_ms,
        basis="bitrate",
        quality="estimated",
        open=connection.open,
        per_ms=rate,
    )
