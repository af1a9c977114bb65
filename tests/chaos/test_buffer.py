"""A stack on PostgreSQL whose rooms keep little: NATS is away for longer than that, and the database is away too."""

import pytest
from roomscribe_cli.demo.script import spoken_s
from roomscribe_cli.testing import Stacks
from roomscribe_common.testing.providers import Server

from tests.chaos.beside import Beside
from tests.chaos.evidence import Evidence
from tests.chaos.faults import At, Faults
from tests.chaos.judge import gaps_of, holds
from tests.chaos.postgres import down, on_postgres
from tests.chaos.speech import PEOPLE, together
from tests.chaos.trial import World

pytestmark = pytest.mark.timeout(240)

KEPT_MB = 1
KEPT_S = KEPT_MB * 1_000_000 / 32_000
"""Of all people's speech together: sixteen bits at 16 kHz."""
AWAY_S = 16.0
DATABASE_AWAY_S = 4.0
SCRIPT = together("buffer", {"ada": [1, 8, 3, 5], "ben": [2, 6, 11, 13], "cleo": [3, 12, 14, 4], "dan": [8, 13, 7, 10]})
BUS_GONE_S = 4.0


def trial_beside(stacks: Stacks) -> Evidence:
    return on_postgres(stacks, "small", _trial, {"ROOMSCRIBE_INGEST_BUFFER_MB": str(KEPT_MB)})


async def _trial(world: World, database: Server) -> Evidence:
    async def away(_: Faults) -> None:
        await down(database, DATABASE_AWAY_S)

    return await world.hold(
        SCRIPT,
        At(BUS_GONE_S, lambda faults: faults.absent("nats", AWAY_S)),
        At(BUS_GONE_S + AWAY_S - 2, away),
    )


@pytest.fixture(scope="module")
def evidence(beside: Beside) -> Evidence:
    return beside.result(__name__)


def test_nothing_but_what_is_declared_is_lost_and_the_bill_is_exact(evidence: Evidence) -> None:
    holds(evidence)


def test_the_oldest_is_dropped_and_a_gap_says_so(evidence: Evidence) -> None:
    gaps = [gap for who in PEOPLE for gap in gaps_of(evidence, who)]
    assert gaps, "nothing was dropped"
    gone = evidence.at(BUS_GONE_S)
    # What was being said when it went had begun to be kept then, or a line earlier.
    assert min(gap.begin for gap in gaps) >= gone - 6
    for who in PEOPLE:
        last_line = evidence.sentences(who)[-1].span
        assert all(gap.end <= last_line.begin for gap in gaps_of(evidence, who)), who


def test_a_gap_is_exactly_what_was_dropped(evidence: Evidence) -> None:
    for who in PEOPLE:
        finals = [f for f in evidence.stored.latest() if f.participant.identity == who]
        heard = [evidence.span_of(final.start_ms, final.end_ms) for final in finals]
        overlaps = [min(g.end, h.end) - max(g.begin, h.begin) for g in gaps_of(evidence, who) for h in heard]
        assert max(overlaps, default=0.0) <= 0.5, who


def test_no_more_is_dropped_than_did_not_fit(evidence: Evidence) -> None:
    said_s = sum(spoken_s(line)[1] - spoken_s(line)[0] for line in SCRIPT.lines)
    dropped_s = sum(gap.end - gap.begin for who in PEOPLE for gap in gaps_of(evidence, who))
    # Utterances go whole, so with the last one a little more room is made than was needed.
    assert 0 < dropped_s <= said_s - KEPT_S + 6


def test_the_gaps_say_why(evidence: Evidence) -> None:
    assert {gap.reason for gap in evidence.stored.gaps} == {"buffer_full"}
