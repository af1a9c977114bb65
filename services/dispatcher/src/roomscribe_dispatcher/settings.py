"""Settings of the dispatcher."""

from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator
from roomscribe_common.ids import Token
from roomscribe_common.settings import CommonSettings, RedisSettings

from roomscribe_dispatcher.caps import PRESETS, Cap, Caps
from roomscribe_dispatcher.worker.wanted import AutoRule


class DispatcherSettings(CommonSettings, RedisSettings):
    """Without `livekit_url` meetings are refused, saying so; everything else runs."""

    livekit_url: Annotated[str, Field(pattern=r"^(|wss?://.+)$")] = ""
    livekit_api_key: str = ""
    livekit_api_secret: SecretStr = SecretStr("")
    dispatcher_empty_room_timeout_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    """How long the agent stays after the last person left, where the request does not say."""
    dispatcher_placement_timeout_s: Annotated[float, Field(ge=1, le=300)] = 15.0
    """How long an issued job may take to bring its agent into the room before the next one is issued."""
    ingest_lease_ttl_s: Annotated[float, Field(ge=1, le=60)] = 6.0
    """As media-ingest's: how long agents may take to renew their leases after Redis was away."""
    dispatcher_max_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    """Jobs in a row without a lasting agent after which a meeting is given up."""
    dispatcher_lasting_s: Annotated[float, Field(ge=1, le=3600)] = 5.0
    """An agent that was in the room for so long was no failure: attempts are counted anew after it."""
    dispatcher_tick_s: Annotated[float, Field(ge=0.05, le=10)] = 1.0
    """How often wanted meetings are looked at."""
    dispatcher_watchdog_s: Annotated[float, Field(ge=0.1, le=60)] = 3.0
    """How often wanted meetings are compared with LiveKit's rooms."""
    dispatcher_leave_timeout_s: Annotated[float, Field(gt=0, le=8)] = 2.0
    """How long a room process may take to answer that it will leave."""
    dispatcher_flush_timeout_s: Annotated[float, Field(gt=0, le=300)] = 20.0
    """How long it may then take to be gone."""
    dispatcher_join_early_s: Annotated[float, Field(ge=0, le=60)] = 3.0
    """How long before `join_at` a scheduled meeting's agent is sent, so that it is there in time."""
    dispatcher_max_late_s: Annotated[float, Field(ge=1, le=86_400)] = 3600.0
    """A scheduled meeting that could not be attended for so long after its time fails, saying why."""
    dispatcher_occurrences_ahead: Annotated[int, Field(ge=1, le=100)] = 10
    """How many of a series' next meetings exist."""
    dispatcher_cap: Cap = PRESETS["scale"]
    """Agents in meetings at once: a number, or `build` (5), `ship` (20), `scale` (600)."""
    dispatcher_tenant_cap: Cap = PRESETS["scale"]
    """The same for each tenant."""
    dispatcher_tenant_caps: dict[Token, Cap] = {}
    """JSON: tenant → a cap of its own."""
    dispatcher_languages: Annotated[list[str], Field(min_length=1)] = ["en"]
    """JSON: the languages the STT engine understands (BCP 47), or `["*"]`; meetings in another are refused."""

    dispatcher_agent_name: Annotated[str, Field(min_length=1, max_length=128)] = "roomscribe"
    """What dispatches call the agent. `*`: it has no name, and LiveKit sends it to each room that names no agent."""
    dispatcher_agent_tenant: Token = "local"
    """Whose meetings those are that LiveKit's dispatch or a rule starts, where neither names a tenant."""
    dispatcher_auto_rules: list[AutoRule] = []
    """Rooms that are attended without being asked for; the first rule that matches a room's name counts."""

    @property
    def caps(self) -> Caps:
        """How many agents may be in meetings at once."""
        return Caps(self.dispatcher_cap, self.dispatcher_tenant_cap, self.dispatcher_tenant_caps)

    @model_validator(mode="after")
    def _livekit_is_whole(self) -> Self:
        if self.livekit_url and not (self.livekit_api_key and self.livekit_api_secret.get_secret_value()):
            raise ValueError(
                "ROOMSCRIBE_LIVEKIT_URL needs ROOMSCRIBE_LIVEKIT_API_KEY and ROOMSCRIBE_LIVEKIT_API_SECRET"
            )
        return self
