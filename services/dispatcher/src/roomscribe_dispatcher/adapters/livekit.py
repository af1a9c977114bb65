"""LiveKit: the agent's token, whether the server answers, and who is in which room."""

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar, cast

from aiohttp import ClientError
from google.protobuf.message import DecodeError
from livekit import api
from roomscribe_common.errors import Retryable
from roomscribe_common.settings import env_name

from roomscribe_dispatcher.domain import Meeting
from roomscribe_dispatcher.events import identity

_VALID_FOR: Final = timedelta(hours=1)
"""Long enough for a job that waits for a node; once in the room, the server refreshes the agent's token itself."""
_ANSWER_S: Final = 2.0
_AGAIN_S: Final = 1.0
_ROOMS_A_REQUEST: Final = 100
_NO_HUMANS: Final = frozenset({api.ParticipantInfo.Kind.AGENT, api.ParticipantInfo.Kind.EGRESS})
AGENT_NAME: Final = "Roomscribe"
UNREADABLE: Final = (DecodeError, AttributeError, ValueError)
"""What livekit-api raises for an answer that is no LiveKit's: a proxy's page, say."""
AnswerT = TypeVar("AnswerT")


class LivekitUnusable(Retryable):
    """LiveKit cannot be used. `reason` is a short stable name, `str()` a sentence that says what to check."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self._detail = detail

    def __str__(self) -> str:
        return self._detail


@dataclass(frozen=True, slots=True)
class Present:
    """Who is in a room: everybody's identities, and when the first of the humans came, if there are any."""

    identities: frozenset[str]
    first_came: datetime | None


def is_human(webhook: Mapping[str, Any]) -> bool:
    """Whether the participant of a webhook, as JSON, is neither an agent nor egress."""
    participant = webhook.get("participant")
    kind = cast(dict[str, object], participant).get("kind") if isinstance(participant, dict) else None
    return kind not in ("AGENT", "EGRESS")


class Livekit:
    """One LiveKit server, or LiveKit Cloud."""

    def __init__(self, url: str, key: str, secret: str) -> None:
        self.url = url
        self._key = key
        self._secret = secret
        self._away_until = 0.0

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
        await self.rooms(["roomscribe-ping"])

    async def answers(self) -> bool:
        """Whether it can be used. One that cannot is asked once a second at most."""
        if time.monotonic() < self._away_until:
            return False
        try:
            await self.ping()
        except LivekitUnusable:
            self._away_until = time.monotonic() + _AGAIN_S
            return False
        return True

    async def rooms(self, names: Sequence[str]) -> set[str]:
        """Those of the rooms that are open. Raises `LivekitUnusable`."""
        found: set[str] = set()
        async with api.LiveKitAPI(self.url, self._key, self._secret, failover=False) as client:
            for at in range(0, len(names), _ROOMS_A_REQUEST):
                request = api.ListRoomsRequest(names=names[at : at + _ROOMS_A_REQUEST])
                answer = await self._answer(client.room.list_rooms(request))
                found.update(room.name for room in answer.rooms)
        return found

    async def present(self, room: str) -> Present:
        """Who is in a room; of one that is not open, nobody. Raises `LivekitUnusable`."""
        async with api.LiveKitAPI(self.url, self._key, self._secret, failover=False) as client:
            answer = await self._answer(client.room.list_participants(api.ListParticipantsRequest(room=room)))
        humans = [each for each in answer.participants if each.kind not in _NO_HUMANS]
        came = min((each.joined_at_ms / 1000 or float(each.joined_at) for each in humans), default=None)
        first = None if came is None else datetime.fromtimestamp(came, UTC)
        return Present(frozenset(each.identity for each in answer.participants), first)

    async def _answer(self, call: Awaitable[AnswerT]) -> AnswerT:
        at = f"LiveKit at {self.url} (from {env_name('livekit_url')})"
        try:
            async with asyncio.timeout(_ANSWER_S):
                return await call
        except api.ServerError as error:
            if error.status in (401, 403):
                keys = f"{env_name('livekit_api_key')} and {env_name('livekit_api_secret')}"
                raise LivekitUnusable("livekit_refused", f"{at} does not take the key: check {keys}.") from error
            raise LivekitUnusable("livekit_unreachable", f"{at} answers with status {error.status}.") from error
        except UNREADABLE as error:
            raise LivekitUnusable("livekit_unreachable", f"{at} answers with something else than LiveKit.") from error
        except (ClientError, OSError, TimeoutError) as error:
            why = str(error) or f"no answer in {_ANSWER_S:g} s"
            raise LivekitUnusable("livekit_unreachable", f"{at} cannot be reached: {why}.") from error
