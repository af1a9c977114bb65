import pytest

from benchmarks.spread import percentile, spread


def test_a_percentile_is_one_of_the_measurements_whatever_their_order():
    assert percentile([5.0, 1.0, 3.0, 2.0, 4.0], 50) == 3.0


def test_the_95th_of_twenty_leaves_one_above_it():
    assert percentile([float(n) for n in range(1, 21)], 95) == 19.0


def test_of_few_measurements_a_high_percentile_is_the_worst():
    assert spread([1.0, 2.0, 9.0]) == {"n": 3, "p50": 2.0, "p95": 9.0, "p99": 9.0, "worst": 9.0}


def test_nothing_measured_has_no_percentile():
    with pytest.raises(ValueError, match="nothing was measured"):
        percentile([], 50)
