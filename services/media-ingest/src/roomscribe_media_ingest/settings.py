"""Settings of media-ingest, from `ROOMSCRIBE_…` environment variables."""

from typing import Annotated

from pydantic import Field
from roomscribe_common.settings import CommonSettings, RedisSettings

_BUS_AWAY_S = 600.0


class IngestSettings(CommonSettings, RedisSettings):
    """A node and its room processes. LiveKit's address and token come with each job."""

    ingest_rooms: Annotated[int, Field(ge=1, le=1000)] = 32
    """Meetings this node attends at a time."""
    ingest_warm: Annotated[int, Field(ge=1, le=32)] = 2
    """Room processes kept ready for the next jobs."""
    ingest_join_timeout_s: Annotated[float, Field(gt=0, le=25)] = 10.0
    """From a claimed job to the agent in the room."""
    ingest_join_attempts: Annotated[int, Field(ge=1, le=20)] = 3
    """Deliveries of a job after which it is dead-lettered."""
    ingest_first_human_timeout_s: Annotated[float, Field(gt=0, le=86_400)] = 300.0
    """How long to wait in a room in which nobody has been yet, if that is longer than the job's own timeout."""
    ingest_lease_ttl_s: Annotated[float, Field(ge=1, le=60)] = 6.0
    """How long a lease outlives its last renewal; it is renewed three times in this time."""
    ingest_heartbeat_s: Annotated[float, Field(ge=1, le=300)] = 15.0
    ingest_buffer_s: Annotated[float, Field(ge=60, le=3_600)] = 120.0
    """Speech kept per track while the bus is away; then the oldest is lost, and a gap says what."""
    ingest_buffer_mb: Annotated[int, Field(ge=1, le=16_384)] = 256
    """The same for all tracks of a room together, in megabytes; a minute of speech has 1.9."""
    ingest_flush_timeout_s: Annotated[float, Field(gt=0, le=12)] = 10.0
    """What is still unsent when a room process must leave at once has this long to reach the bus."""
    ingest_drain_timeout_s: Annotated[float, Field(ge=0, le=86_400)] = 3_600.0
    """After SIGTERM a node's meetings go on until they end, but not longer; then they are handed over."""

    @property
    def patience_s(self) -> float:
        """How long an agent whose meeting is over waits for a bus that is away, with all it has kept."""
        return max(self.ingest_buffer_s, _BUS_AWAY_S)

    @property
    def leave_timeout_s(self) -> float:
        """After this a room process that was told to leave is killed."""
        return self.ingest_flush_timeout_s + 5.0
