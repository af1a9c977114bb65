import pytest

from benchmarks.growth import kept_mb_per_meeting
from benchmarks.line import bend_percent, fit
from benchmarks.plot import plot
from benchmarks.pool import throughput


def test_a_straight_line_is_found_and_has_no_bend():
    points = [(1.0, 5.0), (2.0, 7.0), (4.0, 11.0), (8.0, 19.0)]
    line = fit(points)
    assert (line.base, line.each) == (pytest.approx(3), pytest.approx(2))
    assert bend_percent(points) == pytest.approx(0, abs=1e-9)


def test_what_grows_faster_than_a_line_has_a_bend():
    assert bend_percent([(1.0, 1.0), (2.0, 4.0), (4.0, 16.0), (8.0, 64.0)]) > 10


def test_memory_that_every_wave_of_meetings_leaves_is_told_per_meeting():
    at_rest = [{"gateway": 50.0 + wave, "attribution": 30.0, "stt-worker": 200.0 - wave} for wave in range(4)]
    assert kept_mb_per_meeting(at_rest, 8, {"gateway", "attribution"}) == pytest.approx(1 / 8)


def test_throughput_leaves_out_where_not_everybody_works():
    busy = [(10.0 + number, 4.0) for number in range(20)]
    assert throughput([(9.0, 4.0), *busy, (60.0, 4.0)]) == pytest.approx(4.0)


def test_a_plot_has_a_dot_for_each_measurement():
    picture = plot("CPU", "rooms", "cores", {"rooms": [(1, 0.1), (8, 0.7)], "people": [(1, 0.2), (4, 0.3)]})
    assert picture.count("<circle") == 4
    assert picture.startswith("<svg")
