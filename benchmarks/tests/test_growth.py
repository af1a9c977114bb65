"""What a growing load says of the product, and what only of the machine."""

from benchmarks.growth import as_far_as_the_machine_goes
from benchmarks.load import Load


def load(count: int, idle_percent: float) -> Load:
    return Load(count=count, cores={}, memory_mb={}, idle_percent=idle_percent)


def test_steps_count_until_the_machine_is_full():
    steps = [load(1, 80), load(2, 61.5), load(4, 10), load(8, 9.9), load(16, 50)]
    assert [step.count for step in as_far_as_the_machine_goes(steps)] == [1, 2, 4]
