import pytest
from roomscribe_usage_metering.domain.closing import Close, Decision, Told, Wait, decide
from roomscribe_usage_metering.domain.evidence import AgentSeen, ConnectionSeen, Evidence, MeetingKey, MeetingOver
from roomscribe_usage_metering.domain.ledger import derive

AGENT = AgentSeen(
    room="r",
    room_sid="RM_1",
    participant_sid="PA_agent",
    identity="a",
    job_id="job_1",
    epoch=1,
    joined_ms=0,
    uptime_ms=10,
)
OVER = MeetingOver(room="r", ended_ms=1_000)
JOINED = ConnectionSeen(
    room_sid="RM_1", participant_sid="PA_1", identity="x", participant_kind="STANDARD", joined_ms=0, seen_ms=10
)
LEFT = JOINED.model_copy(update={"left_ms": 900})


@pytest.mark.parametrize(
    ("facts", "told", "now_ms", "decision"),
    [
        pytest.param([AGENT], "never", 10**9, Wait(None), id="a meeting that runs is not closed"),
        pytest.param([AGENT, OVER, JOINED, LEFT], "never", 1_000, Close(), id="all left"),
        pytest.param([AGENT, OVER, JOINED], "never", 1_000, Wait(1_500), id="somebody is still seen"),
        pytest.param([AGENT, OVER, JOINED], "never", 5_900, Wait(6_000), id="never beyond the grace"),
        pytest.param([AGENT, OVER, JOINED], "never", 6_000, Close(), id="the grace is over"),
        pytest.param([AGENT, OVER, JOINED], "other", 9_000, Wait(None), id="told once while somebody is still seen"),
        pytest.param([AGENT, OVER, JOINED, LEFT], "other", 9_000, Close(), id="told again when all left"),
        pytest.param([AGENT, OVER, JOINED, LEFT], "same", 9_000, Wait(None), id="the same is not told twice"),
    ],
)
def test_when_a_ledger_is_closed(facts: list[Evidence], told: Told, now_ms: int, decision: Decision) -> None:
    ledger = derive(MeetingKey("acme", "mtg_1"), facts)
    assert decide(ledger, told, now_ms, grace_ms=5_000, recheck_ms=500) == decision
