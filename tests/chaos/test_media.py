"""LiveKit restarts in the middle of a meeting: its rooms are forgotten, and people and agent come back."""

import pytest
from roomscribe_cli.demo.script import Script
from roomscribe_cli.testing import Stacks

from tests.chaos.beside import Beside
from tests.chaos.evidence import Evidence
from tests.chaos.faults import At
from tests.chaos.judge import gaps_of, holds
from tests.chaos.run import trial_on
from tests.chaos.speech import in_turn

pytestmark = pytest.mark.timeout(300)


def _with_livekit_restarted() -> Script:
    """A long silence, in which LiveKit restarts, then more is said."""
    before = in_turn("media", [("ada", 1), ("ben", 9)])
    after = in_turn("media", [("ada", 8), ("ben", 12)], after_s=2.5)
    later = [line.model_copy(update={"at_s": line.at_s + MEDIA_BACK_S}) for line in after.lines]
    people = [person.model_copy(update={"presence_s": [(0.0, after.end_s + MEDIA_BACK_S)]}) for person in before.people]
    return before.model_copy(update={"lines": [*before.lines, *later], "people": people})


MEDIA_BACK_S = 22.0
MEDIA = _with_livekit_restarted()
MEDIA_RESTART_S = 9.0


def trial_beside(stacks: Stacks) -> Evidence:
    up = stacks.up("media").wait_ready()
    evidence = trial_on(up, lambda world: world.hold(MEDIA, At(MEDIA_RESTART_S, lambda faults: faults.kill("livekit"))))
    assert up.end() == 0
    return evidence


@pytest.fixture(scope="module")
def media(beside: Beside) -> Evidence:
    return beside.result(__name__)


def test_after_a_restart_of_livekit_the_same_meeting_goes_on(media: Evidence) -> None:
    holds(media)
    assert len(media.stored.completed) == 1


def test_after_a_restart_of_livekit_the_agent_is_back_before_the_first_word(media: Evidence) -> None:
    restarted = media.at(MEDIA_RESTART_S)
    back_s = media.agent_back_after_s(restarted)
    assert back_s is not None
    assert back_s < MEDIA_BACK_S - MEDIA_RESTART_S


def test_what_was_said_before_and_after_a_restart_of_livekit_is_not_in_a_gap(media: Evidence) -> None:
    for gap in gaps_of(media, "anybody"):
        assert gap.begin >= media.at(MEDIA_RESTART_S) - 1
        assert gap.end <= media.at(MEDIA_BACK_S) + 1
