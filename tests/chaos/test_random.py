"""The random generator: its plans follow from the seed alone, and a fixed one is played."""

import pytest

from tests.chaos.conftest import Held
from tests.chaos.judge import Verdict
from tests.chaos.plan import make_plan
from tests.chaos.rounds import Tally, play

SEED = 4
SHORT = make_plan(SEED, speech_s=12.0, most_meetings=2, most_deaths=3)


def test_a_plan_follows_from_its_seed_alone() -> None:
    assert make_plan(7) == make_plan(7)
    assert make_plan(7).told() != make_plan(8).told()


def test_every_process_and_every_way_to_die_is_drawn_sooner_or_later() -> None:
    deaths = [death for seed in range(300) for death in make_plan(seed).deaths]
    assert {death.how for death in deaths} == {"killed", "told to end", "frozen", "absent", "locked"}
    names = {death.whom.removesuffix("(-2)?").removesuffix("-2") for death in deaths}
    services = {"dispatcher", "media-ingest", "stt-worker", "attribution", "summarizer", "usage-metering", "gateway"}
    assert names >= services | {"nats", "redis", "livekit", "archive.db", "usage.db", "room of meeting 1"}


def test_a_violation_is_counted_and_its_seed_is_kept() -> None:
    tally = Tally()
    tally.add(SHORT, [Verdict(lost_words=["line 2 of ada lacks 'one two three'"]), Verdict()])
    assert (tally.lost_words, tally.seeds) == (3, [SEED])


@pytest.mark.timeout(180)
def test_a_random_round_of_a_fixed_seed_holds(held: Held[list[Verdict]]) -> None:
    verdicts = held(lambda world: play(world, SHORT))
    wrong = [violation for verdict in verdicts for violation in verdict.violations]
    assert not wrong, "\n".join([SHORT.told(), *wrong])
