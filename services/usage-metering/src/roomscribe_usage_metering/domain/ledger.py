"""The ledger of a meeting: a pure function of the set of evidence. Any order, any duplication, same ledger."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import get_args

from roomscribe_common.contracts.usage import Meter, UsageLine
from roomscribe_common.subjects import UNKNOWN

from roomscribe_usage_metering.domain.connections import connections, owned_by
from roomscribe_usage_metering.domain.counters import audio_lines, token_lines
from roomscribe_usage_metering.domain.evidence import (
    AgentSeen,
    AudioDecoded,
    Claim,
    Evidence,
    MeetingBegan,
    MeetingKey,
    MeetingOver,
    MeetingWanted,
)
from roomscribe_usage_metering.domain.lines import POLICY
from roomscribe_usage_metering.domain.quantise import RULES, decimal_text, in_billed_units, quantise
from roomscribe_usage_metering.domain.sessions import sessions

METERS: tuple[Meter, ...] = get_args(Meter)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a meeting used. `ended_ms` is the meeting's end, None while it runs."""

    meeting: MeetingKey
    room: str
    ended_ms: int | None
    lines: tuple[UsageLine, ...]

    @property
    def open(self) -> bool:
        """Whether the meeting or anything metered in it still runs."""
        return self.ended_ms is None or any(one.open for one in self.lines)

    @property
    def digest(self) -> str:
        """SHA-256 of what the lines measure; equal digests mean equal bills. `open` is no part of it."""
        canonical = [one.model_dump(mode="json", exclude={"open"}) for one in self.lines]
        return hashlib.sha256(json.dumps(canonical, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def derive(meeting: MeetingKey, evidence: Iterable[Evidence], neighbours: Iterable[Claim] = ()) -> Ledger:
    """The meeting's ledger.

    `evidence` is all that is known of the meeting and of its rooms; `neighbours` are claims of other meetings on the
    same rooms, which take the connections that are theirs.
    """
    facts = set(evidence)
    every = connections(facts)
    own = owned_by(meeting, every, [*claims_of(meeting, facts), *neighbours])
    timed = [*(c.to_line() for c in own), *(s.to_line() for s in sessions(facts, every))]
    lines = [*timed, *audio_lines(facts), *token_lines(facts)]
    ends = [fact.ended_ms for fact in facts if isinstance(fact, MeetingOver)]
    return Ledger(
        meeting=meeting,
        room=_room(facts),
        ended_ms=min(ends, default=None),
        lines=tuple(sorted(lines, key=lambda one: (METERS.index(one.meter), one.line_id))),
    )


def claims_of(meeting: MeetingKey, evidence: Iterable[Evidence]) -> list[Claim]:
    """Which rooms the meeting's own evidence gives it."""
    claims: list[Claim] = []
    for fact in evidence:
        match fact:
            case AgentSeen():
                claims.append(Claim(fact.room_sid, meeting, fact.participant_sid, fact.joined_ms))
            case MeetingBegan():
                claims.append(Claim(fact.room_sid, meeting, "", fact.joined_ms))
            case _:
                pass
    return claims


def totals(lines: Iterable[UsageLine]) -> dict[str, str]:
    """Billed quantity per meter: every line is rounded, then the whole steps are added."""
    return {meter: decimal_text(in_billed_units(meter, POLICY, count)) for meter, count in _steps(lines).items()}


def quantities(lines: Iterable[UsageLine]) -> dict[str, Fraction]:
    """The same as exact numbers of minutes and tokens: what is priced, for a sixtieth has no end in decimals."""
    return {meter: Fraction(count, RULES[POLICY][meter].per) for meter, count in _steps(lines).items()}


def _steps(lines: Iterable[UsageLine]) -> dict[Meter, int]:
    steps = dict.fromkeys(METERS, 0)
    for one in lines:
        steps[one.meter] += quantise(one.meter, POLICY, one.quantity)
    return steps


def _room(facts: Iterable[Evidence]) -> str:
    named = (MeetingWanted, MeetingBegan, MeetingOver, AgentSeen, AudioDecoded)
    return min((fact.room for fact in facts if isinstance(fact, named)), default=UNKNOWN)
