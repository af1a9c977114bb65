"""A deploy: every service is told to end, one after the other, while people speak."""

import pytest
from roomscribe_cli.demo.script import spoken_s

from tests.chaos.conftest import Held
from tests.chaos.evidence import Evidence
from tests.chaos.faults import At
from tests.chaos.judge import holds
from tests.chaos.speech import in_turn
from tests.chaos.trial import World

pytestmark = pytest.mark.timeout(240)

DEPLOY = in_turn(
    "deploy", [("ada", 3), ("ben", 10), ("ada", 2), ("ben", 6), ("ada", 12), ("ben", 8), ("ada", 4)], pause_s=0.5
)
ONE_BY_ONE = ("dispatcher", "stt-worker", "attribution", "usage-metering", "gateway", "summarizer", "media-ingest")


async def _deployed(world: World) -> Evidence:
    """One service after the other is told to end, all its replicas at once, under speech."""
    first_s = spoken_s(DEPLOY.lines[0])[0] + 1.0
    last_s = spoken_s(DEPLOY.lines[-1])[0]
    step_s = (last_s - first_s) / (len(ONE_BY_ONE) - 1)
    ends = [
        At(first_s + i * step_s, lambda faults, name=name: faults.terminate(f"{name}(-2)?"))
        for i, name in enumerate(ONE_BY_ONE)
    ]
    return await world.hold(DEPLOY, *ends)


@pytest.fixture(scope="module")
def deployed(held: Held[Evidence]) -> Evidence:
    return held(_deployed)


def test_a_deploy_of_every_service_loses_nothing_and_repeats_nothing(deployed: Evidence) -> None:
    holds(deployed)


def test_a_deploy_leaves_no_gap(deployed: Evidence) -> None:
    assert deployed.stored.gaps == []


def test_a_deploy_leaves_the_agent_in_the_room(deployed: Evidence) -> None:
    there = {sid for at, sids in deployed.agents() if at < deployed.at(DEPLOY.end_s) for sid in sids}
    assert len(there) == 1
