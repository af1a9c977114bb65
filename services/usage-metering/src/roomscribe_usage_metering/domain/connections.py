"""Connections to a room, rebuilt from whatever the SFU's webhooks and polls left us."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from roomscribe_common.contracts.usage import Meter

from roomscribe_usage_metering.domain.evidence import (
    Claim,
    ConnectionSeen,
    Evidence,
    MeetingKey,
    RoomFinished,
    RoomPolled,
)
from roomscribe_usage_metering.domain.lines import Line

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

    def to_line(self) -> Line:
        """What is billed for it."""
        return Line(
            line_id=f"webrtc:{self.participant_sid}",
            meter=METER,
            subject=self.participant_sid,
            identity=self.identity,
            quantity=self.duration_ms,
            start_ms=self.start_ms,
            end_ms=self.end_ms,
            basis=self.basis,
            open=self.open,
        )


@dataclass(slots=True)
class _Room:
    finished_ms: int | None = None
    polled_ms: int = 0


@dataclass(slots=True)
class _Looks:
    """All looks at one connection, merged."""

    identity: str
    kind: str
    joined_ms: int | None = None
    first_ms: int | None = None
    seen_ms: int = 0
    left_ms: int | None = None
    told_active: bool = False
    told_aborted: bool = False

    def add(self, look: ConnectionSeen) -> None:
        self.identity = max(self.identity, look.identity)
        self.kind = min(self.kind, look.participant_kind)
        self.joined_ms = earliest(self.joined_ms, look.joined_ms)
        self.left_ms = earliest(self.left_ms, look.left_ms)
        self.seen_ms = max(self.seen_ms, look.seen_ms or 0)
        for at_ms in (look.joined_ms, look.seen_ms, look.left_ms):
            self.first_ms = earliest(self.first_ms, at_ms)


@dataclass(slots=True)
class Sfu:
    """The SFU's word on who was connected. It holds what each connection comes to, however many facts there were."""

    _looks: dict[str, dict[str, _Looks]] = field(default_factory=lambda: defaultdict[str, dict[str, _Looks]](dict))
    """By participant and room."""
    _rooms: dict[str, _Room] = field(default_factory=lambda: defaultdict[str, _Room](_Room))

    def add(self, fact: Evidence) -> None:
        """Takes in a fact; what is not the SFU's word is passed over."""
        match fact:
            case ConnectionSeen():
                looks = self._look(fact)
                looks.told_aborted = looks.told_aborted or fact.aborted
                looks.told_active = looks.told_active or not fact.aborted
            case RoomPolled():
                room = self._rooms[fact.room_sid]
                room.polled_ms = max(room.polled_ms, fact.at_ms)
                for present in fact.present:
                    self._look(present)
            case RoomFinished():
                room = self._rooms[fact.room_sid]
                room.finished_ms = earliest(room.finished_ms, fact.at_ms)
            case _:
                pass

    def _look(self, look: ConnectionSeen) -> _Looks:
        rooms = self._looks[look.participant_sid]
        looks = rooms.get(look.room_sid)
        if looks is None:
            looks = rooms[look.room_sid] = _Looks(look.identity, look.participant_kind)
        looks.add(look)
        return looks

    def connections(self) -> list[Connection]:
        """Every connection that was ever active, by participant SID and room."""
        return [
            self._connection(room_sid, sid, looks)
            for sid, rooms in sorted(self._looks.items())
            for room_sid, looks in sorted(rooms.items(), key=lambda room: room[0])
            if not _aborted([looks])
        ]

    def aborted(self, participant_sid: str, rooms: Collection[str]) -> bool:
        """Whether that connection to these rooms ended before it was active."""
        return _aborted(self._of(participant_sid, rooms))

    def _of(self, participant_sid: str, rooms: Collection[str]) -> list[_Looks]:
        """The looks at it in these rooms; in any, if the SFU knows it in none of them."""
        known = self._looks.get(participant_sid, {})
        return [known[sid] for sid in rooms if sid in known] or list(known.values())

    def _connection(self, room_sid: str, participant_sid: str, looks: _Looks) -> Connection:
        room = self._rooms.get(room_sid, _Room())
        start = looks.joined_ms if looks.joined_ms is not None else looks.first_ms or 0
        seen = max(start, looks.seen_ms)
        if looks.left_ms is not None:
            end, basis = looks.left_ms, "left"
        elif room.finished_ms is not None:
            end, basis = room.finished_ms, "room_finished"
        else:
            end, basis = seen, "last_seen"
        return Connection(
            room_sid=room_sid,
            participant_sid=participant_sid,
            identity=looks.identity,
            kind=looks.kind,
            start_ms=start,
            end_ms=max(end, start + 1),
            basis=basis,
            open=basis == "last_seen" and room.polled_ms <= seen + CLOCK_SKEW_MS,
        )

    def end_of(self, participant_sid: str, rooms: Collection[str]) -> tuple[int, str] | None:
        """When the SFU saw that connection end, by itself or with the last of its rooms; None if it did not."""
        looks = self._of(participant_sid, rooms)
        ends = [(one.left_ms, "left") for one in looks if one.left_ms is not None]
        closed = [ms for sid in rooms if (ms := self.finished_ms(sid)) is not None]
        if closed and len(closed) == len(rooms):
            ends.append((max(closed), "room_finished"))
        return min(ends, default=None)

    def finished_ms(self, room_sid: str) -> int | None:
        """When the room closed."""
        room = self._rooms.get(room_sid)
        return None if room is None else room.finished_ms


def _aborted(every: Sequence[_Looks]) -> bool:
    """A poll that saw it coming says nothing against that."""
    return any(looks.told_aborted for looks in every) and not any(looks.told_active for looks in every)


def earliest(have: int | None, new: int | None) -> int | None:
    """The smaller of those that are known."""
    return have if new is None or (have is not None and have <= new) else new


def connections(evidence: Iterable[Evidence]) -> list[Connection]:
    """Every connection that was ever active, by participant SID."""
    sfu = Sfu()
    for fact in evidence:
        sfu.add(fact)
    return sfu.connections()


def owned_by(
    meeting: MeetingKey,
    every: Iterable[Connection],
    claims: Iterable[Claim],
    kinds: Collection[str] = BILLED_KINDS,
) -> list[Connection]:
    """The meeting's own connections among those of its rooms.

    An agent belongs to its meeting; anybody else to the meeting that was in the room when they came.
    """
    owners = Owners(claims)
    return [c for c in every if c.kind in kinds and owners.of(c.room_sid, c.start_ms, c.participant_sid) == meeting]


class Owners:
    """Whose what happened in a room is: the last meeting's begun by then, or the first one's after.

    So two meetings in one room never bill the same connection twice.
    """

    def __init__(self, claims: Iterable[Claim]) -> None:
        self._agents: dict[str, MeetingKey] = {}
        self._begun: dict[str, dict[MeetingKey, int]] = defaultdict(dict)
        for claim in sorted(claims, key=lambda one: (one.joined_ms, one.meeting.tenant, one.meeting.meeting_id)):
            if claim.participant_sid:
                self._agents.setdefault(claim.participant_sid, claim.meeting)
            self._begun[claim.room_sid].setdefault(claim.meeting, claim.joined_ms)

    def of(self, room_sid: str, at_ms: int, participant_sid: str = "") -> MeetingKey | None:
        """The meeting that pays; None if no meeting ever was in the room."""
        if participant_sid in self._agents:
            return self._agents[participant_sid]
        begun = self._begun.get(room_sid, {})
        in_order = sorted(begun, key=lambda key: (begun[key], key.tenant, key.meeting_id))
        by_then = [key for key in in_order if begun[key] <= at_ms]
        return by_then[-1] if by_then else next(iter(in_order), None)
