"""Agent sessions: one per job and epoch, billed to the agent's last sign of life."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from roomscribe_common.contracts.usage import Meter, UsageLine

from roomscribe_usage_metering.domain.connections import Connection
from roomscribe_usage_metering.domain.evidence import AgentSeen, Evidence, MeetingOver
from roomscribe_usage_metering.domain.lines import Measured, line

METER: Meter = "agent_session_minutes"
CUT_TO_SECOND_MS = 999
"""The SFU's time of leaving is cut to the second: the true one may be this much later."""


@dataclass(frozen=True, slots=True)
class Session:
    """An agent's time in the room, by its own monotonic clock."""

    job_id: str
    epoch: int
    identity: str
    start_ms: int
    duration_ms: int
    basis: str
    open: bool

    def to_line(self) -> UsageLine:
        """What is billed for it."""
        end_ms = self.start_ms + self.duration_ms
        measured = Measured(METER, self.duration_ms, self.start_ms, end_ms, self.basis, self.open)
        return line(f"agent:{self.job_id}:{self.epoch}", self.job_id, self.identity, measured)


def sessions(evidence: Iterable[Evidence], connections: Iterable[Connection]) -> list[Session]:
    """Every session of an agent that connected; a job whose agent never did has none.

    A killed agent counts to its last heartbeat, even if the SFU noticed later; one the SFU had given up while it still
    believed itself connected counts to the SFU's end.
    """
    signs: dict[tuple[int, str], list[AgentSeen]] = defaultdict(list)
    over = False
    for fact in evidence:
        if isinstance(fact, AgentSeen):
            signs[fact.epoch, fact.job_id].append(fact)
        over = over or isinstance(fact, MeetingOver)
    at_sfu = {c.participant_sid: c for c in connections}
    last_epoch = max((epoch for epoch, _ in signs), default=0)
    return [_merge(signs[key], at_sfu, ended=over or key[0] < last_epoch) for key in sorted(signs)]


def _merge(signs: Sequence[AgentSeen], at_sfu: Mapping[str, Connection], *, ended: bool) -> Session:
    start = min(sign.joined_ms for sign in signs)
    own_ms = max(sign.joined_ms + sign.uptime_ms for sign in signs) - start
    left = any(sign.left for sign in signs)
    duration, basis = own_ms, "agent_left" if left else "last_heartbeat"
    sfu_ms, sfu_basis = _at_sfu({sign.participant_sid for sign in signs}, at_sfu)
    if sfu_ms is not None and sfu_ms + CUT_TO_SECOND_MS < own_ms:
        duration, basis = sfu_ms + CUT_TO_SECOND_MS, sfu_basis
    first = min(signs, key=lambda sign: (sign.joined_ms, sign.identity))
    return Session(
        job_id=first.job_id,
        epoch=first.epoch,
        identity=first.identity,
        start_ms=start,
        duration_ms=max(duration, 1),
        basis=basis,
        open=not (left or ended or basis != "last_heartbeat"),
    )


def _at_sfu(sids: set[str], at_sfu: Mapping[str, Connection]) -> tuple[int | None, str]:
    # Durations are compared, not instants: the agent's clock and the SFU's are two clocks.
    ended = [at_sfu[sid] for sid in sids if sid in at_sfu and at_sfu[sid].basis in ("left", "room_finished")]
    if len(ended) < len(sids):
        return None, ""
    last = max(ended, key=lambda c: (c.end_ms, c.participant_sid))
    return last.end_ms - min(c.start_ms for c in ended), last.basis
