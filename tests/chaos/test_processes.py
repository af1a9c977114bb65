"""In one meeting STT workers die, hang and are all away, other services die, and the databases are locked."""

from collections.abc import Sequence

import pytest
from roomscribe_cli.demo.script import spoken_s

from tests.chaos.conftest import Held
from tests.chaos.evidence import Evidence
from tests.chaos.faults import At
from tests.chaos.judge import holds
from tests.chaos.speech import in_turn, middle_s
from tests.chaos.trial import World

pytestmark = pytest.mark.timeout(240)

ALL = "stt-worker(-2)?"
SCRIPT = in_turn(
    "workers",
    [("ada", 1), ("ben", 9), ("ada", 8), ("ben", 12), ("ada", 5), ("ben", 6), ("ada", 4), ("ben", 10)],
)
KILLED, HUNG, AWAY = 1, 3, 6
"""The lines in which it happens to the STT workers."""
LOCKED_S = 8.0
AWAY_S = 20.0


async def _trial(world: World) -> Evidence:
    begins_s, ends_s = spoken_s(SCRIPT.lines[HUNG - 1])
    # For the moment in which the utterance opens there is but one worker, so that it is the one which hangs.
    return await world.hold(
        SCRIPT,
        At(middle_s(SCRIPT, KILLED), lambda faults: faults.kill(ALL)),
        At(begins_s - 0.5, lambda faults: faults.absent("stt-worker-2", 2.0)),
        At(ends_s - 2.0, lambda faults: faults.freeze("stt-worker", 12.0)),
        At(middle_s(SCRIPT, AWAY), lambda faults: faults.absent(ALL, AWAY_S)),
        At(middle_s(SCRIPT, 2), lambda faults: faults.kill("attribution(-2)?")),
        At(middle_s(SCRIPT, 4), lambda faults: faults.kill("gateway")),
        At(middle_s(SCRIPT, 5), lambda faults: faults.kill("usage-metering")),
        At(middle_s(SCRIPT, 7), lambda faults: faults.locked("archive.db", LOCKED_S)),
        At(middle_s(SCRIPT, 7), lambda faults: faults.locked("usage.db", LOCKED_S)),
        # When the people have left: it is asked to write the minutes just then.
        At(SCRIPT.end_s + 0.3, lambda faults: faults.kill("summarizer")),
    )


@pytest.fixture(scope="module")
def evidence(held: Held[Evidence]) -> Evidence:
    return held(_trial)


def test_nothing_is_lost_doubled_or_billed_wrongly(evidence: Evidence) -> None:
    holds(evidence)


def test_no_word_is_declared_missing(evidence: Evidence) -> None:
    assert evidence.stored.gaps == []


def test_the_utterance_of_a_worker_that_hangs_is_claimed_by_another_within_ten_seconds(evidence: Evidence) -> None:
    hung_at = evidence.at(spoken_s(SCRIPT.lines[HUNG - 1])[1] - 2.0)
    ended_at = evidence.sentence(HUNG).end
    # It is claimed anew ten seconds after the hang at the latest; then all of it is still to be recognised.
    came = first_final_of(evidence, HUNG)
    assert hung_at < came < max(hung_at + 10, ended_at) + 2 + evidence.starved_s(hung_at, came)


def test_the_event_stream_was_cut_off_and_resumed_without_loss(evidence: Evidence) -> None:
    told = [event.id for event in evidence.told if event.id is not None]
    assert len(told) == len(set(told))
    finals = [event.data["segment_id"] for event in evidence.told if event.event == "transcript.final"]
    assert finals == [final.data.segment_id for final in evidence.stored.finals]


def test_interims_pause_while_no_worker_is_there_and_come_back(evidence: Evidence) -> None:
    began = evidence.at(middle_s(SCRIPT, AWAY))
    back = began + AWAY_S
    assert in_between(evidence.live.interims, began + 1, back) == []
    assert in_between(evidence.live.interims, evidence.began, began)


def first_final_of(evidence: Evidence, line: int) -> float:
    """When the first final that begins within the line was heard."""
    said, speaker = evidence.sentence(line), evidence.script.lines[line - 1].speaker
    return next(
        at
        for at, data in evidence.live.finals
        if data.participant.identity == speaker and said.begin - 1 < data.started_at.timestamp() < said.end
    )


def in_between(times: Sequence[float], begin: float, end: float) -> list[float]:
    return [at for at in times if begin < at < end]
