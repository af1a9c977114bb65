from itertools import pairwise

from roomscribe_cli.demo.script import Script, spoken_s

from benchmarks.report import Goal
from benchmarks.room import conversation
from benchmarks.stack import gauge


def test_a_goal_is_met_at_its_threshold_and_missed_beyond_it():
    assert Goal(what="", unit="ms", value=200, limit=200).met
    assert not Goal(what="", unit="ms", value=200.1, limit=200).met
    assert Goal(what="", unit="×", value=30, limit=30, wanted="at least").met
    assert not Goal(what="", unit="×", value=29.9, limit=30, wanted="at least").met


def test_three_people_talk_in_turn_one_at_a_time_until_the_end():
    lines = conversation(Script.load(), 60.0)
    spans = [spoken_s(line) for line in lines]
    assert all(before[1] < after[0] for before, after in pairwise(spans))
    assert len({line.speaker for line in lines}) == 3
    assert 45 < spans[-1][1] < 60


def test_a_metric_is_read_by_its_whole_name():
    assert gauge(["rooms_ended 7", 'rooms{a="b"} 2.0'], "rooms") == 2.0
