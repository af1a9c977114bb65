"""Connections to a room, rebuilt from whatever the SFU's webhooks and polls left us."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from roomscribe_common.contracts.usage import Meter, UsageLine

from roomscribe_usage_metering.domain.evidence import (
    Claim,
    ConnectionSeen,
    Evidence,
    MeetingKey,
    RoomFinished,
    RoomPolled,
)
from roomscribe_usage_metering.domain.lines import Measured, line

METER: Meter = "webrtc_participant_minutes"
BILLED_KINDS = frozenset({"STANDARD", "AGENT"})
"""LiveKit bills people and agents; ingress, egress and SIP are metered elsewhere (kb.livekit.io)."""
CLOCK_SKEW_MS = 5_000
"""A poll is on our clock, a join on the SFU's: only a poll this much later proves that somebody had gone."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One participant SID from its join to its end; `basis` says what the end rests on."""

    room_sid: str
    participant_sid: str
    identity: str
    kind: str
    start_ms: int
    end_ms: int
    basis: str
    open: bool

    @property
    def duration_ms(self) -> int:
        """How long it lasted: at least 1 ms, since it was active."""
        return self.end_ms - self.start_ms

    def to_line(self) -> UsageLine:
        """What is billed for it."""
        measured = Measured(METER, self.duration_ms, self.start_ms, self.end_ms, self.basis, self.open)
        return line(f"webrtc:{self.participant_sid}", self.participant_sid, self.identity, measured)


@dataclass(slots=True)
class _Room:
    finished: list[int] = field(default_factory=list[int])
    polled: list[int] = field(default_factory=list[int])


def connections(evidence: Iterable[Evidence]) -> list[Connection]:
    """Every connection that was ever active, by participant SID."""
    looks: dict[str, list[ConnectionSeen]] = defaultdict(list)
    rooms: dict[str, _Room] = defaultdict(_Room)
    for fact in evidence:
        match fact:
            case ConnectionSeen():
                looks[fact.participant_sid].append(fact)
            case RoomPolled():
                rooms[fact.room_sid].polled.append(fact.at_ms)
                for present in fact.present:
                    looks[present.participant_sid].append(present)
            case RoomFinished():
                rooms[fact.room_sid].finished.append(fact.at_ms)
            case _:
                pass
    merged = (_merge(of_one, rooms) for of_one in looks.values())
    return sorted((c for c in merged if c is not None), key=lambda c: c.participant_sid)


def _merge(looks: Sequence[ConnectionSeen], rooms: dict[str, _Room]) -> Connection | None:
    if all(look.aborted for look in looks):
        return None
    room_sid = min(look.room_sid for look in looks)
    times = [t for look in looks for t in (look.joined_ms, look.seen_ms, look.left_ms) if t is not None]
    start = min((look.joined_ms for look in looks if look.joined_ms is not None), default=min(times))
    seen = max(start, *(look.seen_ms or start for look in looks))
    left = min((look.left_ms for look in looks if look.left_ms is not None), default=None)
    finished, polled = rooms[room_sid].finished, rooms[room_sid].polled
    if left is not None:
        end, basis, is_open = left, "left", False
    elif finished:
        end, basis, is_open = min(finished), "room_finished", False
    else:
        end, basis, is_open = seen, "last_seen", max(polled, default=0) <= seen + CLOCK_SKEW_MS
    return Connection(
        room_sid=room_sid,
        participant_sid=looks[0].participant_sid,
        identity=max(look.identity for look in looks),
        kind=min(look.participant_kind for look in looks),
        start_ms=start,
        end_ms=max(end, start + 1),
        basis=basis,
        open=is_open,
    )


def owned_by(meeting: MeetingKey, every: Iterable[Connection], claims: Iterable[Claim]) -> list[Connection]:
    """The meeting's own connections among those of its rooms.

    An agent belongs to its meeting. Anybody else belongs to the meeting that was in the room when they came: the last
    one begun by then, or the first one after. So two meetings in one room never bill the same connection twice.
    """
    agents: dict[str, MeetingKey] = {}
    begun: dict[str, dict[MeetingKey, int]] = defaultdict(dict)
    for claim in claims:
        agents[claim.participant_sid] = claim.meeting
        first = begun[claim.room_sid].get(claim.meeting, claim.joined_ms)
        begun[claim.room_sid][claim.meeting] = min(first, claim.joined_ms)
    return [c for c in every if c.kind in BILLED_KINDS and _owner(c, agents, begun.get(c.room_sid, {})) == meeting]


def _owner(c: Connection, agents: dict[str, MeetingKey], begun: dict[MeetingKey, int]) -> MeetingKey | None:
    if c.participant_sid in agents:
        return agents[c.participant_sid]
    in_order = sorted(begun, key=lambda key: (begun[key], key.tenant, key.meeting_id))
    by_then = [key for key in in_order if begun[key] <= c.start_ms]
    return by_then[-1] if by_then else next(iter(in_order), None)
