"""What a node says of a room process that died without a goodbye."""

from datetime import timedelta

from roomscribe_common.contracts.agent import AgentLeft, AgentLeftData
from roomscribe_common.contracts.base import Event

from roomscribe_media_ingest.node.room_process import RoomProcess
from roomscribe_media_ingest.room.place import Place


def crashed(room: RoomProcess) -> Event[AgentLeftData] | None:
    """Its leaving, under the id its own word of it would have had; None if it never was in a room."""
    if room.job is None or room.agent is None:
        return None
    ref, place = room.agent, Place.of(room.job)
    # By the monotonic clock from its own time of joining, so that no clock that was set tells a time before that.
    data = AgentLeftData(
        **ref.model_dump(),
        left_at=ref.joined_at + timedelta(milliseconds=room.lived_ms),
        uptime_ms=room.lived_ms,
        reason="crashed",
        counters=room.counters,
    )
    return place.event(AgentLeft, f"agent-left:{ref.participant_sid}:{ref.epoch}", data)
