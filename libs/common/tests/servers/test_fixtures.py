"""The servers that tests get by name are real, and come back after a crash."""

import pytest
from livekit import api
from redis.asyncio import Redis
from roomscribe_common import connection
from roomscribe_common.servers import ServerName
from roomscribe_common.testing.databases import ask_database
from roomscribe_common.testing.fixtures import Livekit
from roomscribe_common.testing.providers import Servers


async def test_nats_has_jetstream(nats_url: str) -> None:
    client = await connection.connect(nats_url, "test")
    account = await client.jetstream().account_info()  # pyright: ignore[reportUnknownMemberType]  # untyped keywords
    await client.close()
    assert account.limits.max_streams != 0


async def test_streams_are_provisioned_and_empty(streams: str) -> None:
    client = await connection.connect(streams, "test")
    infos = await client.jetstream().streams_info()  # pyright: ignore[reportUnknownMemberType]  # untyped keywords
    await client.close()
    assert {info.config.name: info.state.messages for info in infos}["TRANSCRIPTS"] == 0


@pytest.mark.parametrize("turn", [1, 2])
async def test_redis_is_empty_for_each_test(redis_url: str, turn: int) -> None:
    redis = Redis.from_url(redis_url, decode_responses=True)  # pyright: ignore[reportUnknownMemberType]  # untyped keywords
    empty = await redis.set("left by an earlier turn", turn, nx=True)
    await redis.aclose()
    assert empty


async def test_livekit_takes_the_key(livekit: Livekit) -> None:
    async with api.LiveKitAPI(livekit.url, livekit.api_key, livekit.api_secret) as client:
        await client.room.create_room(api.CreateRoomRequest(name="hello"))
        rooms = await client.room.list_rooms(api.ListRoomsRequest(names=["hello"]))
    assert [room.name for room in rooms.rooms] == ["hello"]


async def test_each_test_gets_a_database_of_its_own(postgres_url: str) -> None:
    await ask_database(postgres_url, "CREATE TABLE things (id int)")
    name = await ask_database(postgres_url, "SELECT current_database()")
    assert postgres_url.endswith(f"/{name}")


@pytest.mark.parametrize("name", ["nats", "redis", "livekit", "postgres"])
def test_a_killed_server_comes_back_at_the_same_address(servers: Servers, name: ServerName) -> None:
    server = servers.start(name)
    address = server.url
    server.kill()
    server.start()
    server.wait_ready()
    assert server.url == address
    server.stop()
