import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from roomscribe_common.contracts.agent import AgentJoined, AgentLeft

from .eventually import comes_true, eventually
from .node import Node
from .rooms import Rooms

pytestmark = pytest.mark.asyncio(loop_scope="module")


def title(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode().strip("\0")


def gone(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def children(pid: int) -> list[int]:
    """All processes below this one."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found = [pid]
    for above in found:
        found += [each for each, parent in parents.items() if parent == above]
    return found[1:]


async def test_a_killed_room_process_takes_neither_the_node_nor_another_meeting_along(own_node: Node, rooms: Rooms):
    node = own_node
    ada, bob = await rooms.enter("r-dies", "ada"), await rooms.enter("r-lives", "bob")
    dying = await node.send(await node.job(rooms, "r-dies"))
    living = await node.send(await node.job(rooms, "r-lives"))
    pid = (await node.logged("joined", meeting=dying.data.meeting_id))["pid"]
    await bob.sees_agent()
    assert title(pid) == f"roomscribe: room {dying.data.meeting_id}"
    killed_at = datetime.now(UTC) - timedelta(milliseconds=100)
    os.kill(pid, signal.SIGKILL)
    await node.logged("room process lost", meeting=dying.data.meeting_id, exit_code=-9)
    assert 'roomscribe_ingest_rooms_ended_total{reason="lost"} 1.0' in await node.get("/metrics")
    [left] = await node.hears(AgentLeft, dying.data.meeting_id)
    assert (left.data.reason, left.data.epoch) == ("crashed", dying.data.epoch)
    assert left.data.left_at == left.data.joined_at + timedelta(milliseconds=left.data.uptime_ms)
    assert killed_at <= left.data.left_at <= datetime.now(UTC)

    async def expired() -> bool:
        return await node.leases.current(dying.data.meeting_id) is None

    await comes_true(expired)
    # The next epoch comes to the same node, and takes the dead one's place before LiveKit has missed it.
    await node.send(await node.job(rooms, "r-dies", meeting=dying.data.meeting_id))
    await node.hears(AgentJoined, dying.data.meeting_id, 2)
    await ada.sees_agent()
    assert await node.leases.current(living.data.meeting_id) == living.data.epoch
    await node.tell_to_leave(living)
    [left] = await node.hears(AgentLeft, living.data.meeting_id)
    assert left.data.reason == "requested"


async def test_sigterm_lets_every_room_leave_in_order_and_leaves_nothing_behind(own_node: Node, rooms: Rooms):
    node = own_node
    ada, bob = await rooms.enter("r-stop1", "ada"), await rooms.enter("r-stop2", "bob")
    jobs = [await node.send(await node.job(rooms, room)) for room in ("r-stop1", "r-stop2")]
    await ada.sees_agent()
    await bob.sees_agent()
    below = children(node.pid)
    assert len(below) >= 4, "the fork server, two rooms, the warm one"
    assert await node.stop() == 0
    for job in jobs:
        [left] = await node.hears(AgentLeft, job.data.meeting_id)
        assert left.data.reason == "shutdown"
        assert await node.leases.current(job.data.meeting_id) is None
    await ada.sees_no_agent()
    await bob.sees_no_agent()
    await eventually(lambda: all(gone(pid) for pid in below))
    assert not [line for line in node.log if line["level"] in ("raw", "error", "critical")]


async def test_a_killed_node_takes_its_rooms_along_and_they_say_goodbye(own_node: Node, rooms: Rooms):
    node = own_node
    ada = await rooms.enter("r-orphan", "ada")
    job = await node.send(await node.job(rooms, "r-orphan"))
    await ada.sees_agent()
    await node.work_queue_is_empty()
    below = children(node.pid)
    node.kill()
    [left] = await node.hears(AgentLeft, job.data.meeting_id)
    assert left.data.reason == "shutdown"
    await ada.sees_no_agent()
    await eventually(lambda: all(gone(pid) for pid in below))


async def test_a_redis_that_is_away_ends_no_meeting(own_node: Node, rooms: Rooms):
    node = own_node
    ada = await rooms.enter("r-redis", "ada")
    job = await node.send(await node.job(rooms, "r-redis"))
    await ada.sees_agent()
    await node.pause_redis(ms=5_000)
    await node.logged("lease not renewed, trying on", meeting=job.data.meeting_id)
    await node.logged("redis is back", meeting=job.data.meeting_id)
    assert await node.leases.current(job.data.meeting_id) == job.data.epoch
    assert ada.present_agents()
