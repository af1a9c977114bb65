"""LiveKit at the edge: tokens for people, and webhooks that are really its own and really new."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
from livekit.api import AccessToken, TokenVerifier, VideoGrants
from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError
from roomscribe_common.contracts.livekit import LivekitEvent, LivekitEventData
from roomscribe_common.errors import FieldError, ProblemError, field_name
from roomscribe_common.ids import is_token
from roomscribe_common.subjects import UNKNOWN, subject_of

TOKEN_TTL = timedelta(hours=6)
FRESH = timedelta(minutes=5)
_SHOWN = 5
_SECRETS = {"turnPassword", "turn_password"}
_BODY: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


class _Room(BaseModel):
    model_config = ConfigDict(extra="ignore")

    sid: str = ""
    name: str = ""


class _Webhook(BaseModel):
    """What is needed of `livekit.WebhookEvent`; its JSON has 64-bit numbers as text."""

    model_config = ConfigDict(extra="ignore")

    event: Annotated[str, Field(min_length=1, max_length=100)]
    id: Annotated[str, Field(max_length=150)] = ""
    room: _Room = _Room()
    created_at: Annotated[int, Field(alias="createdAt", ge=0, le=4_102_444_800)]


class Livekit:
    """One LiveKit server or project, as its API key sees it."""

    def __init__(self, url: str, api_key: str, api_secret: str) -> None:
        self.url = url
        self._key = api_key
        self._secret = api_secret
        self._verifier = TokenVerifier(api_key, api_secret)

    def token(self, room: str, identity: str, name: str, now: datetime) -> tuple[str, datetime]:
        """A token with which a person joins one room, speaks and listens; and when it ends."""
        grants = VideoGrants(
            room_join=True,
            room=room,
            can_publish=True,
            can_subscribe=True,
            can_publish_data=True,
            can_update_own_metadata=True,
        )
        token = AccessToken(self._key, self._secret).with_identity(identity).with_name(name)
        return token.with_grants(grants).with_ttl(TOKEN_TTL).to_jwt(), now + TOKEN_TTL

    def webhook(self, body: bytes, authorization: str | None, now: datetime) -> LivekitEvent:
        """The event of a webhook. Raises `ProblemError`: 401 forged or stale, 400 signed but not understood."""
        self._verify(body, authorization)
        try:
            content, hook = _BODY.validate_json(body), _Webhook.model_validate_json(body)
            json.dumps(content, allow_nan=False)  # whoever reads it from the bus would find a null
        except ValidationError as error:
            wrong = [FieldError(field=field_name(one["loc"]) or "body", detail=one["msg"]) for one in error.errors()]
            raise _malformed("; ".join(f"{one.field}: {one.detail}" for one in wrong[:_SHOWN]), wrong) from error
        except ValueError as error:
            raise _malformed("a number is NaN or infinite", []) from error
        created_at = datetime.fromtimestamp(hook.created_at, UTC)
        if abs(now - created_at) > FRESH:
            detail = f"The webhook was made at {created_at:%Y-%m-%dT%H:%M:%SZ}, more than 5 minutes from now."
            raise ProblemError.of("webhook-stale", 401, "Webhook is stale", detail)
        return _event(hook, content, created_at, now, body)

    def _verify(self, body: bytes, authorization: str | None) -> None:
        # WebhookReceiver of livekit-api decodes the body first and compares digests in variable time.
        try:
            claims = self._verifier.verify((authorization or "").removeprefix("Bearer "))
            signed = base64.b64decode(claims.sha256 or "", validate=True)
        except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError) as error:
            raise _forged(type(error).__name__) from error
        if not hmac.compare_digest(signed, hashlib.sha256(body).digest()):
            raise _forged("the signature is of another body")


def _event(
    hook: _Webhook, content: dict[str, JsonValue], created_at: datetime, now: datetime, body: bytes
) -> LivekitEvent:
    id = hook.id or f"livekit:{hashlib.sha256(body).hexdigest()[:32]}"
    data = LivekitEventData(
        event=hook.event,
        livekit_id=id,
        room=hook.room.name,
        room_sid=hook.room.sid,
        created_at=created_at,
        received_at=now,
        body=_without_secrets(content),
    )
    place = hook.room.sid if is_token(hook.room.sid) else UNKNOWN
    subject = subject_of(LivekitEvent, UNKNOWN, place)
    return LivekitEvent.new(
        id=id, source="roomscribe/gateway", subject=subject, tenant=UNKNOWN, data=data, time=created_at
    )


def _malformed(why: str, wrong: list[FieldError]) -> ProblemError:
    detail = f"The webhook is signed, but not a LiveKit event: {why}."
    return ProblemError.of("malformed", 400, "Malformed webhook", detail, wrong)


def _without_secrets(content: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """`livekit.Room` may hold the password of the room's TURN servers, and events are kept for long."""
    room = content.get("room")
    if not isinstance(room, dict):
        return content
    return content | {"room": {name: value for name, value in room.items() if name not in _SECRETS}}


def _forged(why: str) -> ProblemError:
    detail = f"The webhook is not signed with the key in ROOMSCRIBE_LIVEKIT_API_KEY and _SECRET ({why})."
    return ProblemError.of("webhook-forged", 401, "Webhook not signed by LiveKit", detail)


def absent() -> ProblemError:
    """What callers are told where no LiveKit is configured."""
    detail = "No LiveKit is configured (ROOMSCRIBE_LIVEKIT_URL is empty); replayed meetings can be read."
    return ProblemError.of("livekit-absent", 503, "No LiveKit", detail)
