"""Nobody's many keep another's few waiting: decodes by turns, slots by what is held. In virtual time."""

import asyncio
import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from roomscribe_stt_worker.domain.fairness import FairQueue, Owner
from roomscribe_stt_worker.slots import Slots

OURS = Owner("acme", "ours")


@dataclass(frozen=True)
class Work:
    """A decode somebody wants at a time; one thread needs `cost_s` for it."""

    at_s: float
    owner: Owner
    cost_s: float
    number: int


def waits(work: Iterable[Work]) -> dict[Owner, list[float]]:
    """How long each owner waits for the ends of their decodes, on one thread."""
    queue = FairQueue[Work](lambda one: one.owner, lambda one: (0, one.number))
    coming = [(one.at_s, one.number, one) for one in work]
    heapq.heapify(coming)
    now_s, waited = 0.0, dict[Owner, list[float]]()
    while coming or len(queue):
        while coming and (coming[0][0] <= now_s or not len(queue)):
            at_s, _, one = heapq.heappop(coming)
            now_s = max(now_s, at_s)
            queue.push(one)
        one = queue.pop(lambda each: each.cost_s)
        now_s += one.cost_s
        waited.setdefault(one.owner, []).append(now_s - one.at_s)
    return waited


def speaking(owners: Iterable[Owner], every_s: float, numbers: "count[int]", until_s: float = 60.0) -> list[Work]:
    """Each has an utterance of 0.1 s of decoding every so often, beginning at their own times."""
    made: list[Work] = []
    for place, owner in enumerate(owners):
        at_s = every_s * (0.37 * place % 1)
        while at_s < until_s:
            made.append(Work(at_s, owner, 0.1, next(numbers)))
            at_s += every_s
    return made


CROWDS: dict[str, Callable[[int], Owner]] = {
    "a meeting with fifty microphones": lambda n: Owner("acme", "crowd"),
    "another tenant's meeting with fifty": lambda n: Owner("other", "crowd"),
    "a tenant with fifty meetings": lambda n: Owner("other", f"mtg_{n}"),
}


@pytest.mark.parametrize("every_s", [4.0, 5.2, 8.0], ids=["overloaded", "full", "half full"])
@pytest.mark.parametrize("crowd", CROWDS.values(), ids=CROWDS)
def test_a_crowd_delays_others_less_than_twice_as_much_as_the_same_load_spread_evenly(
    crowd: Callable[[int], Owner], every_s: float
) -> None:
    numbers = count()
    ours = speaking([OURS] * 2, 4.0, numbers)
    spread = waits(ours + speaking((Owner(f"t{n}", "m") for n in range(50)), every_s, numbers))[OURS]
    crowded = waits(ours + speaking((crowd(n) for n in range(50)), every_s, numbers))[OURS]
    assert mean(crowded) < 2 * mean(spread)
    assert max(crowded) < 2 * max(spread)


def test_under_overload_only_the_crowd_waits_longer_and_longer() -> None:
    numbers = count()
    found = waits(speaking([OURS], 4.0, numbers) + speaking([Owner("other", "crowd")] * 80, 4.0, numbers))
    assert max(found[OURS]) < 0.5
    assert found[Owner("other", "crowd")][-1] > 20


owners = st.builds(Owner, st.sampled_from("abc"), st.sampled_from("xyz"))


@given(st.lists(st.tuples(owners, st.integers(1, 5)), max_size=40))
def test_everything_that_was_put_in_comes_out_once_and_each_meetings_in_order(found: list[tuple[Owner, int]]) -> None:
    queue = FairQueue[tuple[Owner, int]](lambda one: one[0], lambda one: (0, one[1]))
    for number, (owner, _) in enumerate(found):
        queue.push((owner, number))
    taken = [queue.pop(lambda one: found[one[1]][1]) for _ in found]
    assert sorted(number for _, number in taken) == list(range(len(found)))
    assert len(queue) == 0
    for owner in {owner for owner, _ in found}:
        numbers = [number for each, number in taken if each == owner]
        assert numbers == sorted(numbers)


def test_who_comes_back_again_and_again_takes_no_more_than_their_turn() -> None:
    queue = FairQueue[tuple[Owner, int]](lambda one: one[0], lambda one: (0, one[1]))
    one, many = Owner("one", "m"), Owner("many", "m")
    for number in range(20):
        queue.push((many, number))
    queue.push((one, 100))
    served: list[Owner] = []
    for number in range(20):
        owner, _ = queue.pop(lambda _: 1.0)
        served.append(owner)
        if owner == one:
            queue.push((one, 101 + number))
    assert 9 <= served.count(one) <= 11


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_slot_that_comes_free_goes_to_whoever_has_the_fewest() -> None:
    slots, admitted = Slots(4), list[str]()
    leave = {name: asyncio.Event() for name in ("a1", "a2", "a3", "a4", "a5", "a6", "b1", "c1")}

    async def follow(name: str, owner: Owner) -> None:
        async with slots.taken(owner):
            admitted.append(name)
            await leave[name].wait()

    async with asyncio.TaskGroup() as tasks:
        for name in ("a1", "a2", "a3", "a4", "a5", "a6"):
            tasks.create_task(follow(name, Owner("a", "crowd")))
        await settle()
        tasks.create_task(follow("b1", Owner("a", "small")))
        tasks.create_task(follow("c1", Owner("c", "other")))
        await settle()
        assert (slots.busy, slots.waiting) == (4, 4)
        for name in ("a1", "a2", "a3"):
            leave[name].set()
            await settle()
        assert admitted == ["a1", "a2", "a3", "a4", "c1", "b1", "a5"]
        for each in leave.values():
            each.set()
    assert (slots.busy, slots.waiting, slots.free) == (0, 0, True)


async def test_who_gives_up_in_line_or_at_the_front_leaves_no_slot_taken() -> None:
    slots, owner, stay = Slots(1), Owner("a", "m"), asyncio.Event()

    async def follow() -> None:
        async with slots.taken(owner):
            await stay.wait()

    first, second, third = (asyncio.create_task(follow()) for _ in range(3))
    await settle()
    second.cancel()
    first.cancel()  # its place goes to the third, at once
    await settle()
    assert (slots.busy, slots.waiting) == (1, 0)
    third.cancel()
    await settle()
    assert (slots.busy, slots.waiting) == (0, 0)


async def test_a_line_that_is_sent_away_gets_no_slot() -> None:
    slots, owner, stay = Slots(1), Owner("a", "m"), asyncio.Event()

    async def follow() -> None:
        async with slots.taken(owner):
            await stay.wait()

    inside, outside = asyncio.create_task(follow()), asyncio.create_task(follow())
    await settle()
    slots.send_away()
    await settle()
    assert outside.cancelled()
    assert not inside.done()
    stay.set()
    await inside
