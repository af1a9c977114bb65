"""The ledger of a meeting: a pure function of the set of evidence. Any order, any duplication, same ledger."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

from roomscribe_common.contracts.usage import Meter
from roomscribe_common.subjects import UNKNOWN

from roomscribe_usage_metering.domain.connections import BILLED_KINDS, Owners, Sfu, owned_by
from roomscribe_usage_metering.domain.counters import audio_lines, model_lines, token_lines
from roomscribe_usage_metering.domain.downstream import BITRATES, Bitrates, downstream_lines
from roomscribe_usage_metering.domain.egress import egress_lines
from roomscribe_usage_metering.domain.evidence import (
    AgentSeen,
    AudioDecoded,
    Claim,
    EgressSeen,
    Evidence,
    MeetingBegan,
    MeetingKey,
    MeetingOver,
    MeetingWanted,
    TokensUsed,
)
from roomscribe_usage_metering.domain.lines import POLICY, Line
from roomscribe_usage_metering.domain.quantise import METERS, RULES, decimal_text, in_billed_units, quantise
from roomscribe_usage_metering.domain.sessions import sessions


@dataclass(frozen=True, slots=True)
class Terms:
    """What is not settled by evidence: which kinds of participant are billed, and what those nobody counted receive.

    LiveKit does not say whether it bills CONNECTOR and BRIDGE.
    """

    kinds: frozenset[str] = BILLED_KINDS
    bitrates: Bitrates = BITRATES


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a meeting used. `ended_ms` is the meeting's end, None while it runs."""

    meeting: MeetingKey
    room: str
    ended_ms: int | None
    lines: tuple[Line, ...]

    @property
    def open(self) -> bool:
        """Whether the meeting or anything metered in it still runs."""
        return self.ended_ms is None or any(one.open for one in self.lines)

    @property
    def digest(self) -> str:
        """SHA-256 of what the lines measure; equal digests mean equal bills. `open` is no part of it."""
        canonical = [_measured(one) for one in self.lines]
        return hashlib.sha256(json.dumps(canonical, separators=(",", ":")).encode()).hexdigest()


def _measured(one: Line) -> tuple[object, ...]:
    what = one.line_id, one.meter, one.subject, one.identity, one.quality, one.basis
    return *what, one.quantity, one.start_ms, one.end_ms, one.per_ms, one.parts


@dataclass(slots=True)
class _Sorted:
    """Evidence by what it is about."""

    sfu: Sfu = field(default_factory=Sfu)
    signs: list[AgentSeen] = field(default_factory=list[AgentSeen])
    egresses: list[EgressSeen] = field(default_factory=list[EgressSeen])
    audio: list[AudioDecoded] = field(default_factory=list[AudioDecoded])
    tokens: list[TokensUsed] = field(default_factory=list[TokensUsed])
    claims: set[Claim] = field(default_factory=set[Claim])
    rooms: set[str] = field(default_factory=set[str])
    ends: set[int] = field(default_factory=set[int])


def derive(
    meeting: MeetingKey, evidence: Iterable[Evidence], neighbours: Iterable[Claim] = (), terms: Terms | None = None
) -> Ledger:
    """The meeting's ledger.

    `evidence` is all that is known of the meeting and of its rooms; `neighbours` are claims of other meetings on the
    same rooms, which take the connections that are theirs.
    """
    terms, known = terms or Terms(), _sorted(meeting, evidence)
    claims = [*known.claims, *neighbours]
    own = owned_by(meeting, known.sfu.connections(), claims, terms.kinds)
    lines = [
        *(one.to_line() for one in own),
        *(one.to_line() for one in sessions(known.signs, known.sfu, over=bool(known.ends))),
        *downstream_lines(own, known.signs, terms.bitrates),
        *audio_lines(known.audio),
        *token_lines(known.tokens),
        *model_lines(known.signs),
        *egress_lines(meeting, known.egresses, Owners(claims), known.sfu),
    ]
    return Ledger(
        meeting=meeting,
        room=min(known.rooms, default=UNKNOWN),
        ended_ms=min(known.ends, default=None),
        lines=tuple(sorted(lines, key=lambda one: (METERS.index(one.meter), one.line_id))),
    )


def _sorted(meeting: MeetingKey, evidence: Iterable[Evidence]) -> _Sorted:
    known = _Sorted()
    for fact in evidence:
        match fact:
            case AgentSeen():
                known.signs.append(fact)
            case AudioDecoded():
                known.audio.append(fact)
            case TokensUsed():
                known.tokens.append(fact)
            case EgressSeen():
                known.egresses.append(fact)
            case MeetingOver():
                known.ends.add(fact.ended_ms)
            case _:
                known.sfu.add(fact)
        if isinstance(fact, MeetingWanted | MeetingBegan | MeetingOver | AgentSeen | AudioDecoded):
            known.rooms.add(fact.room)
        known.claims.update(claims_of(meeting, [fact]))
    return known


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


class Metered(Protocol):
    """A quantity of a meter: a line, as it is derived or as it was told."""

    @property
    def meter(self) -> Meter:
        """Of what."""
        ...

    @property
    def quantity(self) -> int:
        """How much, in the meter's unit."""
        ...


def totals(lines: Iterable[Metered]) -> dict[str, str]:
    """Billed quantity per meter: every line is rounded, then the whole steps are added."""
    return {meter: decimal_text(in_billed_units(meter, POLICY, count)) for meter, count in steps_of(lines).items()}


def quantities(lines: Iterable[Metered]) -> dict[str, Fraction]:
    """The same as exact numbers of billed units: what is priced, for a sixtieth has no end in decimals."""
    return {meter: Fraction(count, RULES[POLICY][meter].per) for meter, count in steps_of(lines).items()}


def steps_of(lines: Iterable[Metered]) -> dict[Meter, int]:
    """Whole steps per meter."""
    steps = dict.fromkeys(METERS, 0)
    for one in lines:
        steps[one.meter] += quantise(one.meter, POLICY, one.quantity)
    return steps
