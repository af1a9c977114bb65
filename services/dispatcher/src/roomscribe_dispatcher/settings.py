"""Settings of the dispatcher."""

from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator
from roomscribe_common.settings import CommonSettings, RedisSettings


class DispatcherSettings(CommonSettings, RedisSettings):
    """Without `livekit_url` meetings are refused, saying so; everything else runs."""

    livekit_url: Annotated[str, Field(pattern=r"^(|wss?://.+)$")] = ""
    livekit_api_key: str = ""
    livekit_api_secret: SecretStr = SecretStr("")
    dispatcher_empty_room_timeout_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    """How long the agent stays after the last person left, where the request does not say."""
    dispatcher_placement_timeout_s: Annotated[float, Field(ge=1, le=300)] = 15.0
    """How long an issued job may take to bring its agent into the room before the next one is issued."""
    dispatcher_max_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    """Jobs in a row without a lasting agent after which a meeting is given up."""
    dispatcher_lasting_s: Annotated[float, Field(ge=1, le=3600)] = 20.0
    """An agent that was in the room for so long was no failure: attempts are counted anew after it."""
    dispatcher_tick_s: Annotated[float, Field(ge=0.05, le=10)] = 1.0
    """How often wanted meetings are looked at."""
    dispatcher_leave_timeout_s: Annotated[float, Field(gt=0, le=8)] = 2.0
    """How long a room process may take to answer that it will leave."""
    dispatcher_flush_timeout_s: Annotated[float, Field(gt=0, le=300)] = 20.0
    """How long it may then take to be gone."""

    @model_validator(mode="after")
    def _livekit_is_whole(self) -> Self:
        if self.livekit_url and not (self.livekit_api_key and self.livekit_api_secret.get_secret_value()):
            raise ValueError(
                "ROOMSCRIBE_LIVEKIT_URL needs ROOMSCRIBE_LIVEKIT_API_KEY and ROOMSCRIBE_LIVEKIT_API_SECRET"
            )
        return self
