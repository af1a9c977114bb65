"""Room processes, a whole node and all dispatchers die: the agent is back at once, and the hole has true edges."""

import asyncio
from dataclasses import dataclass

import pytest
from roomscribe_common.testing.until import until

from tests.chaos.conftest import Held
from tests.chaos.evidence import Evidence
from tests.chaos.faults import At, Done, Faults
from tests.chaos.judge import gaps_of, holds
from tests.chaos.speech import in_turn, middle_s
from tests.chaos.trial import World, agents_in, agents_of

pytestmark = pytest.mark.timeout(300)

ROOM_BACK_S = 5.0
NODE_BACK_S = 10.0
LISTED_S = 0.5
"""LiveKit may list the agent that was replaced for so long."""
NODE_AWAY_S = 12.0
DISPATCHERS_AWAY_S = 60.0
ROOM, NODE, DISPATCHERS = 1, 4, 6
"""The lines of the first meeting in which it happens."""
FIRST = in_turn(
    "rooms-1", [("ada", 1), ("ben", 9), ("ada", 11), ("ben", 8), ("ada", 5), ("ben", 2), ("ada", 3), ("ben", 10)]
)
OTHERS = [
    in_turn(f"rooms-{n}", [(who, clip) for clip in clips], pause_s=1.5)
    for n, who, clips in (
        (2, "cleo", (2, 5, 8, 6, 9, 7, 4)),
        (3, "dan", (3, 9, 7, 13, 5, 11, 10)),
        (4, "cleo", (13, 4, 6, 2, 12, 9, 5)),
    )
]


@dataclass
class Outcome:
    """What came of the four meetings, of a fifth that was asked for meanwhile, and when it happened."""

    meetings: list[Evidence]
    room: Done
    node: Done
    dispatchers: Done
    late: list[int]
    """How many agents were in the fifth room, look by look, once there was one."""


async def _trial(world: World) -> Outcome:
    faults = world.faults
    hit: dict[str, Done] = {}
    nobody_dispatches = asyncio.Event()

    async def room(faults: Faults) -> None:
        hit["room"] = await faults.kill(f"room-{world.meetings[FIRST.room]}")

    async def node(faults: Faults) -> None:
        hit["node"] = await faults.absent("media-ingest", NODE_AWAY_S)

    async def dispatchers(faults: Faults) -> None:
        hit["dispatchers"] = await faults.absent("dispatcher(-2)?", DISPATCHERS_AWAY_S, nobody_dispatches.set)

    async with asyncio.TaskGroup() as group:
        # The second node is away until all have their agents, the replaced one too: so all four are on the first.
        async with faults.gone("media-ingest-2"):
            holding = group.create_task(
                world.hold_all(
                    [FIRST, *OTHERS],
                    At(middle_s(FIRST, ROOM), room),
                    At(middle_s(FIRST, NODE), node),
                    At(middle_s(FIRST, DISPATCHERS), dispatchers),
                )
            )
            for script in (FIRST, *OTHERS):
                await until(lambda room=script.room: _one_agent(world, room), 60)
            killed = await agents_of(world.livekit, FIRST.room)
            await until(lambda: _replaced(world, killed), 60)
        late = group.create_task(_asked_while_nobody_dispatches(world, nobody_dispatches))
    return Outcome(holding.result(), hit["room"], hit["node"], hit["dispatchers"], late.result())


async def _one_agent(world: World, room: str) -> bool:
    return await agents_in(world.livekit, room) == 1


async def _replaced(world: World, killed: set[str]) -> bool:
    return bool(await agents_of(world.livekit, FIRST.room) - killed)


async def _asked_while_nobody_dispatches(world: World, nobody_dispatches: asyncio.Event) -> list[int]:
    """Asks for a meeting, as patiently as a client does, while no dispatcher is there."""

    await asyncio.wait_for(nobody_dispatches.wait(), 120)
    meeting = await world.start("rooms-late", "Asked for while nobody dispatches")
    await until(lambda: _one_agent(world, "rooms-late"), 60)
    seen: list[int] = []
    for _ in range(10):
        seen.append(await agents_in(world.livekit, "rooms-late"))
        await asyncio.sleep(0.3)
    await world.end(meeting)
    return seen


def starved_s(meeting: Evidence, death: Done, after_s: float) -> float:
    """For how long since a death something had to wait for a processor."""
    return meeting.starved_s(death.began, death.began + after_s)


@pytest.fixture(scope="module")
def outcome(held: Held[Outcome]) -> Outcome:
    return held(_trial)


def test_nothing_is_lost_doubled_or_billed_wrongly(outcome: Outcome) -> None:
    holds(*outcome.meetings)


def test_a_killed_room_process_is_back_in_five_seconds(outcome: Outcome) -> None:
    back_s = outcome.meetings[0].agent_back_after_s(outcome.room.began)
    assert back_s is not None
    assert back_s <= ROOM_BACK_S + starved_s(outcome.meetings[0], outcome.room, back_s)


def test_the_hole_of_a_killed_room_process_is_one_gap_with_true_edges(outcome: Outcome) -> None:
    first = outcome.meetings[0]
    died = outcome.room.began
    holes = [gap for gap in gaps_of(first, "ada") if gap.begin < outcome.node.began - 1]
    assert len(holes) == 1, holes
    assert abs(holes[0].begin - died) <= 1.0, holes[0].begin - died
    lasted_s = holes[0].end - died
    assert lasted_s <= ROOM_BACK_S + starved_s(first, outcome.room, lasted_s), lasted_s


def test_no_other_meeting_notices(outcome: Outcome) -> None:
    for other in outcome.meetings[1:]:
        before = {sid for at, sids in other.agents() if at < outcome.node.began for sid in sids}
        assert len(before) == 1, other.script.room
        assert [gap for gap in gaps_of(other, "anybody") if gap.end < outcome.node.began] == []


def test_the_rooms_of_a_killed_node_are_elsewhere_in_ten_seconds(outcome: Outcome) -> None:
    assert set(outcome.node.hit) == {"media-ingest"}
    for meeting in outcome.meetings:
        back_s = meeting.agent_back_after_s(outcome.node.began)
        assert back_s is not None
        assert back_s <= NODE_BACK_S + starved_s(meeting, outcome.node, back_s), meeting.script.room


def test_each_room_of_a_killed_node_has_one_gap_for_it(outcome: Outcome) -> None:
    for meeting in outcome.meetings:
        died = outcome.node.began
        holes = [gap for gap in gaps_of(meeting, "anybody") if gap.end > died]
        edges_s = [(gap.begin - died, gap.end - died) for gap in holes]
        assert len(holes) <= 1, (meeting.script.room, edges_s)
        for begin_s, end_s in edges_s:
            assert begin_s >= -1, meeting.script.room
            assert end_s <= NODE_BACK_S + starved_s(meeting, outcome.node, end_s), meeting.script.room


def test_running_meetings_do_not_notice_that_no_dispatcher_is_there(outcome: Outcome) -> None:
    for meeting in outcome.meetings:
        back_s = meeting.agent_back_after_s(outcome.node.began)
        assert back_s is not None
        settled = outcome.node.began + back_s + LISTED_S
        agents = {
            sid for at, sids in meeting.agents() if settled < at < meeting.at(meeting.script.end_s) for sid in sids
        }
        assert len(agents) == 1, meeting.script.room


def test_a_meeting_asked_for_while_no_dispatcher_is_there_is_placed_once(outcome: Outcome) -> None:
    assert outcome.late == [1] * len(outcome.late)
