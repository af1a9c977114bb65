import pytest

from benchmarks.capacity import Demand, Growth, Node, learn, meetings_at_once, total
from benchmarks.load import Load


def load(count: int, rooms_cores: float, rooms_mb: float, stt_cores: float) -> Load:
    idle = {"gateway": 0.02}
    return Load(
        count=count,
        cores={"rooms": rooms_cores, "stt-worker": stt_cores, **idle},
        memory_mb={"rooms": rooms_mb, "stt-worker": 200.0, "gateway": 50.0},
    )


GROWTH = Growth(
    by_rooms_of_two=[load(count, 0.06 * count, 40.0 * count, 0.1 * count) for count in (1, 2, 4, 8)],
    by_people=[load(count, 0.02 + 0.02 * count, 38.0 + count, 0.1) for count in (1, 2, 4, 8)],
)


def test_a_meeting_costs_what_a_measured_room_costs_and_each_further_person_more():
    demand = learn(GROWTH).demand(10, 4)
    assert demand["rooms"].cores == pytest.approx(10 * (0.06 + 2 * 0.02))
    assert demand["rooms"].memory_mb == pytest.approx(10 * (40 + 2 * 1))
    assert demand["speech to text"].cores == pytest.approx(10 * 0.1)


def test_what_does_not_grow_is_counted_once():
    demand = learn(GROWTH).demand(10, 4)
    assert demand["everything else"].cores == pytest.approx(0.02)
    assert demand["speech to text"].memory_mb == pytest.approx(200)


def test_nodes_are_as_many_as_the_scarcer_of_cores_and_memory_needs():
    node = Node(cores=2, memory_gib=1, use=0.5)
    assert node.count(Demand(cores=1.0, memory_mb=100)) == 1
    assert node.count(Demand(cores=1.1, memory_mb=100)) == 2
    assert node.count(Demand(cores=0.1, memory_mb=600)) == 2


def test_one_more_meeting_than_fits_needs_another_node():
    node, model = Node(cores=4, memory_gib=16, use=0.6), learn(GROWTH)
    fits = node.meetings(model, 2)
    assert node.count(total(model.demand(fits, 2))) == 1
    assert node.count(total(model.demand(fits + 1, 2))) == 2


def test_the_busiest_moment_has_more_meetings_than_the_busiest_hour_on_average():
    assert meetings_at_once(1000, minutes=30, busiest_hour=0.2) == 100 + 30
    assert meetings_at_once(0, minutes=30, busiest_hour=0.2) == 0


def test_interims_left_out_under_load_make_no_plan_smaller():
    short = [load(count, 0.06 * count, 40.0 * count, min(0.1 * count, 0.2)) for count in (1, 2, 4, 8)]
    model = learn(Growth(by_rooms_of_two=short, by_people=GROWTH.by_people))
    assert model.demand(8, 2)["speech to text"].cores == pytest.approx(0.8)
