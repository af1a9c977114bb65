"""Recordings and streams out of a room: LiveKit meters them by the time they were active."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from roomscribe_common.contracts.usage import Meter

from roomscribe_usage_metering.domain.connections import Owners, Sfu
from roomscribe_usage_metering.domain.evidence import EgressSeen, MeetingKey
from roomscribe_usage_metering.domain.lines import Line


def egress_lines(meeting: MeetingKey, looks: Iterable[EgressSeen], owners: Owners, sfu: Sfu) -> list[Line]:
    """The meeting's own; one that was never active has no line."""
    by_id: dict[str, list[EgressSeen]] = defaultdict(list)
    for look in looks:
        by_id[look.egress_id].append(look)
    found: list[Line] = []
    for egress_id, of_one in sorted(by_id.items()):
        room_sid = min(look.room_sid for look in of_one)
        line = _line(egress_id, of_one, sfu.finished_ms(room_sid))
        if line is not None and owners.of(room_sid, line.start_ms) == meeting:
            found.append(line)
    return found


def _line(egress_id: str, looks: Sequence[EgressSeen], room_finished_ms: int | None) -> Line | None:
    start = min((look.started_ms for look in looks if look.started_ms is not None), default=None)
    if start is None or any(look.aborted for look in looks):
        return None
    ended = min((look.ended_ms for look in looks if look.ended_ms is not None), default=None)
    if ended is not None:
        end, basis = ended, "egress_ended"
    elif room_finished_ms is not None:
        end, basis = room_finished_ms, "room_finished"
    else:
        end, basis = max(look.seen_ms for look in looks), "last_seen"
    meter: Meter = "track_egress_minutes" if all(look.direct for look in looks) else "transcode_minutes"
    is_open = basis == "last_seen"
    if end <= start and not is_open:
        return None
    end = max(end, start)
    return Line(f"egress:{egress_id}", meter, egress_id, "", end - start, start, end, basis, open=is_open)
