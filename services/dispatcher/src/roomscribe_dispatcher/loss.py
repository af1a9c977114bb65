"""Until when a meeting's agent that is gone was heard to hear: where the hole begins that the next one tells."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from roomscribe_common.contracts.agent import AgentHeartbeat, AgentLeft
from roomscribe_common.lease import Heard

from roomscribe_dispatcher.domain import Meeting

_KEEPS_UP: Final = timedelta(seconds=1)
"""An agent whose words on the bus end so much earlier was out of the room, or the bus was away."""


@dataclass(frozen=True, slots=True)
class Loss:
    """All that was said until then is on the bus; `anybody_there`: people were in the room."""

    heard_until: datetime
    anybody_there: bool

    def applied(self, meeting: Meeting) -> Meeting:
        """The meeting that knows of it."""
        return meeting.model_copy(update={"heard_until": self.heard_until, "anybody_there": self.anybody_there})


@dataclass(frozen=True, slots=True)
class Signs:
    """What is known of a meeting's last agents: each may be of an earlier epoch, or have been lost."""

    left: AgentLeft | None
    beat: AgentHeartbeat | None
    said: Heard | None
    last_chunk_at: datetime | None


def loss(meeting: Meeting, signs: Signs) -> Loss | None:
    """None if nothing is known beyond what the meeting knows: its last agent never came, or did not tell the hole
    before it yet, which it does with its first heartbeat.
    """
    if meeting.joined_at is None:
        return None
    left = signs.left if signs.left is not None and signs.left.data.epoch == meeting.epoch else None
    beat = signs.beat if signs.beat is not None and signs.beat.data.epoch == meeting.epoch else None
    said = signs.said if signs.said is not None and signs.said.epoch == meeting.epoch else None
    if left is not None and left.data.heard_until is not None:
        return Loss(left.data.heard_until, left.data.empty_since is None)
    if meeting.heard_until is not None and beat is None:
        return None
    anybody = beat is None or beat.data.humans > 0
    if said is not None and said.said_at - said.until > _KEEPS_UP:
        return Loss(said.until, anybody)
    if left is not None:
        return Loss(left.data.left_at, anybody)
    seen = [meeting.joined_at, said and said.said_at, beat and beat.time, signs.last_chunk_at]
    return Loss(max(each for each in seen if each is not None), anybody)
