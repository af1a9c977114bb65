"""Two sources of the same use, side by side. Nothing is corrected by it: somebody should look why they disagree.

Webhooks and polls are compared at each poll's instant: how many connections either says were in the room. A poll knows
nothing of what was between two of them, so lengths would not compare.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from prometheus_client.parser import text_string_to_metric_families

from roomscribe_usage_metering.domain.connections import CLOCK_SKEW_MS, Connection, Sfu
from roomscribe_usage_metering.domain.evidence import AgentSeen, Evidence, RoomPolled
from roomscribe_usage_metering.domain.sessions import Agents

Pair = Literal["webhook_poll", "agent_sfu", "ledger_node"]
UNITS: dict[Pair, str] = {"webhook_poll": "sightings", "agent_sfu": "ms", "ledger_node": "bytes"}
ENOUGH: dict[Pair, int] = {"webhook_poll": 200, "agent_sfu": 3_600_000, "ledger_node": 10**9}
"""Below this a single second, or sighting, would be half a percent."""
LIMIT_PERCENT = Fraction(1, 2)
_SENT = ("livekit_packet_bytes", "livekit_packet_bytes_total")


@dataclass(frozen=True, slots=True)
class Seen:
    """What either source says of the same."""

    left: int
    right: int

    @property
    def drift_percent(self) -> Fraction:
        """The difference, of the larger one."""
        larger = max(self.left, self.right)
        return Fraction(abs(self.left - self.right) * 100, larger) if larger else Fraction(0)


def drifts(pair: Pair, seen: Seen) -> bool:
    """Whether they disagree by more than half a percent of enough."""
    return max(seen.left, seen.right) >= ENOUGH[pair] and seen.drift_percent > LIMIT_PERCENT


def of_meeting(evidence: Iterable[Evidence]) -> dict[Pair, Seen]:
    """What the sources say of a meeting that is over; a pair of which one source said nothing at all is left out."""
    webhooks, everything, agents = Sfu(), Sfu(), Agents()
    polls: list[RoomPolled] = []
    for fact in evidence:
        everything.add(fact)
        match fact:
            case RoomPolled():
                polls.append(fact)
            case AgentSeen():
                agents.add(fact)
            case _:
                webhooks.add(fact)
    found: dict[Pair, Seen] = {}
    told = webhooks.connections()
    if polls and told:
        found["webhook_poll"] = _at_polls(polls, told)
    at_sfu = {one.participant_sid: one.duration_ms for one in everything.connections()}
    own = [(one.participant_sid, one.end_ms - one.start_ms) for one in agents.sessions(Sfu())]
    if own and at_sfu:
        found["agent_sfu"] = Seen(sum(ms for _, ms in own), sum(at_sfu.get(sid, 0) for sid, _ in own))
    return found


def _at_polls(polls: Iterable[RoomPolled], told: Iterable[Connection]) -> Seen:
    rooms: dict[str, list[Connection]] = defaultdict(list)
    for one in told:
        rooms[one.room_sid].append(one)
    left = right = 0
    for poll in polls:
        near = {one.participant_sid for one in rooms[poll.room_sid] if _near(one, poll.at_ms)}
        inside = {one.participant_sid for one in rooms[poll.room_sid] if one.start_ms <= poll.at_ms < one.end_ms}
        left += len(inside - near)
        right += len({one.participant_sid for one in poll.present} - near)
    return Seen(left, right)


def _near(one: Connection, at_ms: int) -> bool:
    """The poll is on our clock, and the webhook's seconds are cut: so near an edge neither is wrong."""
    return min(abs(at_ms - one.start_ms), abs(at_ms - one.end_ms)) < CLOCK_SKEW_MS


def bytes_sent(exposition: str) -> int:
    """What a LiveKit node has sent since it started, from its Prometheus text. Raises `ValueError` for other text."""
    samples = [sample for family in text_string_to_metric_families(exposition) for sample in family.samples]
    if not any(sample.name.startswith("livekit_") for sample in samples):
        raise ValueError("no metrics of LiveKit")
    # A node that has sent nothing yet does not have the counter.
    sent = [one for one in samples if one.name in _SENT and one.labels.get("direction") == "outgoing"]
    return sum(int(one.value) for one in sent)


def counted_since(before: int | None, now: int) -> int:
    """What a counter grew by; one lower than before began again at 0. Nothing is known before the first look."""
    if before is None:
        return 0
    return now - before if now >= before else now
