"""What looks wrong in a ledger, and what does not."""

from roomscribe_common.contracts.usage import Meter
from roomscribe_usage_metering.alerts.anomalies import Limits, anomalies
from roomscribe_usage_metering.domain.evidence import MeetingKey
from roomscribe_usage_metering.domain.ledger import Ledger
from roomscribe_usage_metering.domain.lines import Line

MINUTE, HOUR = 60_000, 3_600_000
START = 1_793_000_000_000


def line(meter: Meter, line_id: str, subject: str, identity: str, start: int, end: int) -> Line:
    return Line(line_id, meter, subject, identity, end - start, START + start, START + end, "left")


def agent(start: int, end: int, sid: str = "PA_agent") -> tuple[Line, Line]:
    session = line("agent_session_minutes", f"agent:job_1:{sid}", f"job_1 {sid}", "bot", start, end)
    return session, connection("bot", start, end, sid)


def connection(identity: str, start: int, end: int, sid: str = "") -> Line:
    sid = sid or f"PA_{identity}_{start}"
    return line("webrtc_participant_minutes", f"webrtc:{sid}", sid, identity, start, end)


def found(*lines: Line) -> dict[str, str]:
    ledger = Ledger(MeetingKey("acme", "mtg_1"), "room", None, lines)
    return {one.kind: one.detail for one in anomalies(ledger, Limits())}


def test_an_agent_left_alone_for_long_is_told_of_with_the_minutes() -> None:
    told = found(*agent(0, 60 * MINUTE), connection("anna", 0, 20 * MINUTE))
    assert "alone in the room for 40 minutes" in told["agent_alone"]


def test_an_agent_alone_before_and_after_but_never_for_long_is_in_order() -> None:
    people = [connection("anna", 14 * MINUTE, 30 * MINUTE), connection("bo", 25 * MINUTE, 46 * MINUTE)]
    assert found(*agent(0, 60 * MINUTE), *people) == {}


def test_an_agent_whose_replacement_was_alone_too_is_alone_throughout() -> None:
    told = found(*agent(0, 10 * MINUTE), *agent(10 * MINUTE, 20 * MINUTE, "PA_second"))
    assert "20 minutes" in told["agent_alone"]


def test_without_the_sfus_word_nobody_is_called_alone() -> None:
    session, _ = agent(0, 60 * MINUTE)
    assert found(session) == {}


def test_a_session_of_many_hours_is_told_of() -> None:
    told = found(*agent(0, 9 * HOUR), connection("anna", 0, 9 * HOUR))
    assert told == {"long_session": "a connection has lasted 9 h 0 min"}
    assert found(*agent(0, 8 * HOUR - 1), connection("anna", 0, 8 * HOUR - 1)) == {}


def test_a_reconnect_storm_is_told_of_with_what_it_costs_and_without_the_name() -> None:
    storm = [connection("anna", n * 30_000, n * 30_000 + 5_000) for n in range(12)]
    told = found(*storm)
    assert told["reconnect_storm"].endswith("12 minutes are billed for 1 minute of presence")
    assert "anna" not in told["reconnect_storm"]


def test_many_people_who_come_at_once_are_no_storm() -> None:
    assert found(*(connection(f"p{n}", n * 1_000, HOUR) for n in range(50))) == {}


def test_reconnects_spread_over_hours_are_no_storm() -> None:
    assert found(*(connection("anna", n * 5 * MINUTE, n * 5 * MINUTE + 60_000) for n in range(12))) == {}
