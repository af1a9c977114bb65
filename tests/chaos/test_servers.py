"""NATS and Redis are away and come back, Redis without its memory."""

import shutil

import pytest

from tests.chaos.conftest import Held
from tests.chaos.evidence import Evidence
from tests.chaos.faults import At, Faults
from tests.chaos.judge import holds
from tests.chaos.speech import in_turn, middle_s
from tests.chaos.trial import World

pytestmark = pytest.mark.timeout(240)

BUS = in_turn(
    "bus", [("ada", 1), ("ben", 9), ("ada", 8), ("ben", 12), ("ada", 5), ("ben", 10), ("ada", 4), ("ben", 13)]
)
BUS_RESTART, BUS_AWAY, REDIS_EMPTIED = 1, 3, 7
BUS_AWAY_S = 10.0


async def _without_bus(world: World) -> Evidence:
    async def emptied(faults: Faults) -> None:
        kept = faults.up.state / "redis" / "appendonlydir"
        old = faults.up.state / "redis" / "appendonly.aof"

        def forget() -> None:
            shutil.rmtree(kept, ignore_errors=True)
            old.unlink(missing_ok=True)

        await faults.absent("redis", 2.0, forget)

    return await world.hold(
        BUS,
        At(middle_s(BUS, BUS_RESTART), lambda faults: faults.kill("nats")),
        At(middle_s(BUS, BUS_AWAY), lambda faults: faults.absent("nats", BUS_AWAY_S)),
        At(middle_s(BUS, REDIS_EMPTIED), emptied),
    )


@pytest.fixture(scope="module")
def bus(held: Held[Evidence]) -> Evidence:
    return held(_without_bus)


def test_nats_restarted_and_away_for_ten_seconds_and_an_empty_redis_lose_nothing(bus: Evidence) -> None:
    holds(bus)


def test_what_was_said_while_nats_was_away_is_transcribed_afterwards(bus: Evidence) -> None:
    assert bus.stored.gaps == []


def test_a_redis_without_memory_brings_no_second_agent(bus: Evidence) -> None:
    there = {sid for at, sids in bus.agents() if at < bus.at(BUS.end_s) for sid in sids}
    assert len(there) == 1
