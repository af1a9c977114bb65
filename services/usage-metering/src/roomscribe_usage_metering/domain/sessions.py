"""Agent sessions: one per job and connection, billed to the agent's last sign of life."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from roomscribe_common.contracts.usage import Meter

from roomscribe_usage_metering.domain.connections import Sfu
from roomscribe_usage_metering.domain.evidence import AgentSeen
from roomscribe_usage_metering.domain.lines import Line

METER: Meter = "agent_session_minutes"


@dataclass(frozen=True, slots=True)
class Session:
    """An agent's time in the room, from its connecting."""

    job_id: str
    participant_sid: str
    identity: str
    start_ms: int
    end_ms: int
    basis: str
    open: bool

    def to_line(self) -> Line:
        """What is billed for it."""
        return Line(
            line_id=f"agent:{self.job_id}:{self.participant_sid}",
            meter=METER,
            subject=f"{self.job_id} {self.participant_sid}",
            identity=self.identity,
            quantity=self.end_ms - self.start_ms,
            start_ms=self.start_ms,
            end_ms=self.end_ms,
            basis=self.basis,
            open=self.open,
        )


@dataclass(slots=True)
class _Signs:
    """All signs of one session, merged."""

    start_ms: int
    alive_ms: int
    epoch: int
    identity: str
    left: bool = False
    rooms: set[str] = field(default_factory=set[str])


@dataclass(slots=True)
class Agents:
    """The agents' own word on how long they were connected. It holds what each session comes to, not each heartbeat."""

    _signs: dict[tuple[str, str], _Signs] = field(default_factory=dict[tuple[str, str], _Signs])

    def add(self, sign: AgentSeen) -> None:
        """Takes in a sign of life. `uptime_ms` is monotonic, so the last one counts, in whatever order they come."""
        key, alive_ms = (sign.job_id, sign.participant_sid), sign.joined_ms + sign.uptime_ms
        signs = self._signs.get(key)
        if signs is None:
            signs = self._signs[key] = _Signs(sign.joined_ms, alive_ms, sign.epoch, sign.identity)
        signs.start_ms = min(signs.start_ms, sign.joined_ms)
        signs.alive_ms = max(signs.alive_ms, alive_ms)
        signs.epoch = max(signs.epoch, sign.epoch)
        signs.identity = max(signs.identity, sign.identity)
        signs.left = signs.left or sign.left
        signs.rooms.add(sign.room_sid)

    def sessions(self, sfu: Sfu, *, over: bool = True) -> list[Session]:
        """Every session of an agent that connected. Unless the meeting is `over`, the newest may still run.

        A killed agent counts to its last heartbeat, even if the SFU noticed later; one that the SFU had given up while
        it still believed itself connected counts to the SFU's end.
        """
        newest = max(((signs.epoch, signs.start_ms) for signs in self._signs.values()), default=(0, 0))
        found: list[Session] = []
        for key, signs in sorted(self._signs.items(), key=lambda item: item[0]):
            if sfu.aborted(key[1], signs.rooms):
                continue
            ended = over or (signs.epoch, signs.start_ms) < newest
            found.append(_session(key, signs, sfu.end_of(key[1], signs.rooms), ended=ended))
        return found


def _session(key: tuple[str, str], signs: _Signs, at_sfu: tuple[int, str] | None, *, ended: bool) -> Session:
    end_ms, basis = signs.alive_ms, "agent_left" if signs.left else "last_heartbeat"
    if at_sfu is not None and at_sfu[0] < end_ms:
        end_ms, basis = at_sfu
    return Session(
        job_id=key[0],
        participant_sid=key[1],
        identity=signs.identity,
        start_ms=signs.start_ms,
        end_ms=max(end_ms, signs.start_ms + 1),
        basis=basis,
        open=basis == "last_heartbeat" and not ended,
    )


def sessions(signs: Iterable[AgentSeen], sfu: Sfu, *, over: bool) -> list[Session]:
    """The sessions those signs come to."""
    agents = Agents()
    for sign in signs:
        agents.add(sign)
    return agents.sessions(sfu, over=over)
