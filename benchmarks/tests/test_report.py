from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from roomscribe_cli.demo.script import spoken_s

from benchmarks.crowd import scene
from benchmarks.machine import Machine
from benchmarks.report import Goal, Result, write_table
from benchmarks.stack import gauge


def test_a_goal_is_met_at_its_threshold_and_missed_beyond_it():
    assert Goal(what="", unit="ms", value=200, limit=200).met
    assert not Goal(what="", unit="ms", value=200.1, limit=200).met
    assert Goal(what="", unit="×", value=30, limit=30, wanted="at least").met
    assert not Goal(what="", unit="×", value=29.9, limit=30, wanted="at least").met


def test_three_people_talk_in_turn_one_at_a_time_until_the_end():
    lines = scene("", count=6, talkers=3, length_s=60.0, pause_s=0.6).lines
    spans = [spoken_s(line) for line in lines]
    assert all(before[1] < after[0] for before, after in pairwise(spans))
    assert len({line.speaker for line in lines}) == 3
    assert 45 < spans[-1][1] < 60


def test_a_metric_is_read_by_its_whole_name():
    assert gauge(["rooms_ended 7", 'rooms{a="b"} 2.0'], "rooms") == 2.0


def result(*goals: Goal, steal: float = 0.0) -> Result:
    machine = Machine(cpu="", cores=2, memory_gib=1, kernel="", load_before=0.1, busy_percent=50, steal_percent=steal)
    date = datetime(2026, 1, 1, tzinfo=UTC)
    return Result(
        benchmark="room", date=date, took_s=1, command="", quick=False, goals=list(goals), figures={}, machine=machine,
        versions={},
    )  # fmt: skip


def test_a_missed_time_says_that_the_host_took_the_processors_and_a_missed_size_does_not():
    slow, large = Goal(what="", unit="ms", value=2, limit=1), Goal(what="", unit="MB", value=2, limit=1)
    kept = result(slow, large, steal=40)
    assert "40 %" in kept.reason(slow)
    assert kept.reason(large) == ""


def test_a_goal_that_is_met_needs_no_reason():
    assert result(steal=40).reason(Goal(what="", unit="ms", value=1, limit=1, bare=2)) == ""


def test_the_table_of_all_results_has_missed_goals_beside_the_others_figures(tmp_path: Path):
    result(Goal(what="speed", unit="ms", value=3, limit=1, peer=5, bare=2)).write(tmp_path)
    write_table(tmp_path)
    row = next(line for line in (tmp_path / "README.md").read_text().splitlines() if "speed" in line)
    assert row == "| room | speed | 3 ms | ≤ 1 ms | 5 | 2 | **missed**: the bare figure is above the goal too |"
