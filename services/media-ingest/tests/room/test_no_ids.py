"""A room of which LiveKit gives no ids is one that was not joined."""

import pytest
from opentelemetry.trace import NoOpTracer
from roomscribe_common import connection
from roomscribe_common.bus import Bus
from roomscribe_common.lease import Leases
from roomscribe_common.testing.fixtures import Livekit
from roomscribe_media_ingest.adapters import redis as redis_adapter
from roomscribe_media_ingest.adapters.livekit_room import LivekitRoom, NotConnected
from roomscribe_media_ingest.adapters.silero import SileroVad
from roomscribe_media_ingest.room.meeting import Meeting, Tools
from roomscribe_media_ingest.settings import IngestSettings

from .node import Node
from .rooms import Rooms


class Nameless(LivekitRoom):
    """Connects, and is never told the ids."""

    async def sids(self) -> tuple[str, str]:
        raise NotConnected("LiveKit gave the room no id")


async def test_an_agent_without_ids_says_that_it_did_not_join_and_is_out_again(
    streams: str, redis_url: str, livekit: Livekit
):
    nc = await connection.connect(streams, "test")
    redis = redis_adapter.client(redis_url, 2)
    bus = Bus(nc, nc.jetstream(), "test")  # pyright: ignore[reportUnknownMemberType]  # untyped keywords
    tools = Tools(IngestSettings(), bus, Leases(redis, 3), SileroVad(), NoOpTracer(), lambda _: None)
    async with Rooms.open(livekit) as rooms:
        ada = await rooms.enter("r-nameless", "ada")
        job = await Node(nc, redis, livekit, {}).job(rooms, "r-nameless")
        with pytest.raises(NotConnected, match="no id"):
            await Meeting(job, tools, Nameless).join(0.0)
        assert ada.agents
        await ada.sees_no_agent()
    await redis.aclose()
    await nc.close()
