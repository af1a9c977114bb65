"""Which rooms LiveKit has, and which dispatches they hold."""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from aiohttp import ClientError
from livekit import api
from roomscribe_common.errors import Retryable

from roomscribe_dispatcher.adapters.livekit import UNREADABLE

_ANSWER_S: Final = 5.0
AnswerT = TypeVar("AnswerT")


class Rooms:
    """Every call raises `Retryable` when LiveKit does not answer."""

    def __init__(self, url: str, key: str, secret: str) -> None:
        self._client = api.LiveKitAPI(url, key, secret, failover=False)

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def all(self) -> list[api.Room]:
        """The rooms there are."""
        answer = await _asked(self._client.room.list_rooms(api.ListRoomsRequest()))
        return list(answer.rooms)

    async def named(self, name: str) -> api.Room | None:
        """The room, if it is there now."""
        answer = await _asked(self._client.room.list_rooms(api.ListRoomsRequest(names=[name])))
        return next(iter(answer.rooms), None)

    async def dispatches(self, room: str) -> list[api.AgentDispatch]:
        """The dispatches of a room that is there; of one that is not, LiveKit answers only after 3 s, with an error."""
        return await _asked(self._client.agent_dispatch.list_dispatch(room))


async def _asked(call: Awaitable[AnswerT]) -> AnswerT:
    try:
        async with asyncio.timeout(_ANSWER_S):
            return await call
    except (api.ServerError, ClientError, OSError, TimeoutError, *UNREADABLE) as error:
        raise Retryable(f"LiveKit did not answer: {type(error).__name__}") from error
