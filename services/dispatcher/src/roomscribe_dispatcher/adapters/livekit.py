"""LiveKit: the agent's token, and whether the server answers."""

import asyncio
from datetime import timedelta
from typing import Final

from aiohttp import ClientError
from livekit import api
from roomscribe_common.settings import env_name

from roomscribe_dispatcher.domain import Meeting
from roomscribe_dispatcher.events import identity

_VALID_FOR: Final = timedelta(hours=1)
"""Long enough for a job that waits for a node; once in the room, the server refreshes the agent's token itself."""
_ANSWER_S: Final = 2.0
AGENT_NAME: Final = "Roomscribe"


class LivekitUnusable(Exception):
    """LiveKit cannot be used. `reason` is a short stable name, `str()` a sentence that says what to check."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Livekit:
    """One LiveKit server, or LiveKit Cloud."""

    def __init__(self, url: str, key: str, secret: str) -> None:
        self.url = url
        self._key = key
        self._secret = secret

    def token(self, meeting: Meeting) -> str:
        """What the agent joins with: that one room, to listen and to write captions; to speak only as a copilot."""
        speaks = meeting.spec.mode == "copilot"
        grants = api.VideoGrants(
            room_join=True,
            room=meeting.spec.room,
            can_subscribe=True,
            can_publish=speaks,
            can_publish_sources=["microphone"] if speaks else None,
            can_publish_data=True,
            can_update_own_metadata=True,
        )
        token = api.AccessToken(self._key, self._secret).with_identity(identity(meeting)).with_name(AGENT_NAME)
        return token.with_kind("agent").with_grants(grants).with_ttl(_VALID_FOR).to_jwt()

    async def ping(self) -> None:
        """Raises `LivekitUnusable` if the server does not answer, or does not take our key."""
        at = f"LiveKit at {self.url} (from {env_name('livekit_url')})"
        client = api.LiveKitAPI(self.url, self._key, self._secret, failover=False)
        try:
            async with asyncio.timeout(_ANSWER_S):
                await client.room.list_rooms(api.ListRoomsRequest(names=["roomscribe-ping"]))
        except api.ServerError as error:
            if error.status in (401, 403):
                keys = f"{env_name('livekit_api_key')} and {env_name('livekit_api_secret')}"
                raise LivekitUnusable("livekit_refused", f"{at} does not take the key: check {keys}.") from error
            raise LivekitUnusable("livekit_unreachable", f"{at} answers with status {error.status}.") from error
        except (ClientError, OSError, TimeoutError) as error:
            why = str(error) or f"no answer in {_ANSWER_S:g} s"
            raise LivekitUnusable("livekit_unreachable", f"{at} cannot be reached: {why}.") from error
        finally:
            await client.aclose()
