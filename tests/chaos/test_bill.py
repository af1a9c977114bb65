"""The bill by a stopwatch: a room process, metering and its PostgreSQL die at random, and nobody pays a second more."""

import random
from collections import Counter
from dataclasses import dataclass

import pytest
from roomscribe_cli.demo.people import What
from roomscribe_cli.testing import Stacks
from roomscribe_common.contracts.usage import UsageLine
from roomscribe_common.testing.providers import Server

from tests.chaos.beside import Beside
from tests.chaos.evidence import Evidence
from tests.chaos.faults import At, Fault, Faults
from tests.chaos.judge import holds
from tests.chaos.postgres import down, on_postgres
from tests.chaos.speech import in_turn
from tests.chaos.trial import World

pytestmark = pytest.mark.timeout(300)

SEED = 20261122
DATABASE_AWAY_S = 3.0
A_SECOND_MS = 1_000
BEAT_MS = 15_000
"""A killed agent bills to its last heartbeat."""
SCRIPT = in_turn("bill", [("ada", 1), ("ben", 9), ("ada", 8), ("cleo", 12), ("ben", 5), ("ada", 10), ("cleo", 4)])


def trial_beside(stacks: Stacks) -> Evidence:
    return on_postgres(stacks, "bill", _trial)


async def _trial(world: World, database: Server) -> Evidence:
    async def room(faults: Faults) -> None:
        await faults.kill(f"room-{world.meetings[SCRIPT.room]}")

    async def metering(faults: Faults) -> None:
        await faults.kill("usage-metering")

    async def away(_: Faults) -> None:
        await down(database, DATABASE_AWAY_S)

    dice = random.Random(SEED)
    faults: list[Fault] = [room, metering, metering, away]
    return await world.hold(SCRIPT, *(At(dice.uniform(2.0, SCRIPT.end_s - 4.0), fault) for fault in faults))


@pytest.fixture(scope="module")
def evidence(beside: Beside) -> Evidence:
    return beside.result(__name__)


@dataclass
class Stopwatch:
    """How long somebody was connected, in ms: at least between the SDK's answers, at most between the questions."""

    least_ms: float
    most_ms: float


def _stopwatch(evidence: Evidence, identity: str) -> Stopwatch:
    def at(what: What) -> float:
        [found] = [each.at for each in evidence.happened if each.what == what and each.identity == identity]
        return found * 1000

    return Stopwatch(at("leaves") - at("joined"), at("left") - at("joins"))


def _lines(evidence: Evidence, meter: str) -> list[UsageLine]:
    assert evidence.usage is not None
    return [line for line in evidence.usage.lines if line.meter == meter]


def test_nothing_is_lost_doubled_or_billed_wrongly(evidence: Evidence) -> None:
    holds(evidence)


def test_everybody_is_billed_what_a_stopwatch_says_within_a_second_and_once(evidence: Evidence) -> None:
    people = {person.identity for person in SCRIPT.people}
    lines = [line for line in _lines(evidence, "webrtc_participant_minutes") if line.identity in people]
    assert Counter(line.identity for line in lines) == Counter(people)
    for line in lines:
        watch = _stopwatch(evidence, line.identity)
        assert watch.least_ms - A_SECOND_MS <= line.quantity <= watch.most_ms + A_SECOND_MS, line.basis


def test_each_agent_is_billed_to_its_last_sign_of_life_and_once(evidence: Evidence) -> None:
    seen = {each.sid: each for each in evidence.connections if each.identity.startswith("roomscribe-")}
    sessions = _lines(evidence, "agent_session_minutes")
    assert len(seen) == 2, "the room process was not killed"
    assert len(sessions) == len({line.line_id for line in sessions}) == len(seen)
    in_room = sorted((each.left_at - each.joined_at) * 1000 for each in seen.values())
    for line, was_there_ms in zip(sorted(sessions, key=lambda each: each.quantity), in_room, strict=True):
        assert was_there_ms - BEAT_MS - 2 * A_SECOND_MS <= line.quantity <= was_there_ms + 2 * A_SECOND_MS, line.basis
