"""Who and what a room holds, as plain values, and what a room process is told of it."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from roomscribe_common.contracts.agent import LeaveReason
from roomscribe_common.contracts.base import Participant, Track

Kind = Literal["standard", "ingress", "egress", "sip", "agent", "connector", "bridge", "unknown"]
Frames = Callable[[], AsyncGenerator[NDArray[np.int16], None]]
"""Starts decoding a track: 16 kHz mono, until the track ends."""


@dataclass(frozen=True, slots=True)
class Person:
    """A participant of one connection; whoever comes back has a new `sid`. `joined_at` is LiveKit's."""

    sid: str
    identity: str
    name: str
    kind: Kind
    joined_at: datetime | None = None

    @property
    def is_human(self) -> bool:
        """Whether a meeting goes on for them: LiveKit too keeps a room open for all but agents and egress."""
        return self.kind not in ("agent", "egress")

    @property
    def participant(self) -> Participant:
        """As events name them."""
        return Participant(identity=self.identity, name=self.name)


class RoomListener(Protocol):
    """What happens in a room. Calls are short, never wait, and may repeat what was said before."""

    def people(self, present: list[Person]) -> None:
        """Everybody who is there: at first, and after a connection that was lost came back."""
        ...

    def away(self) -> None:
        """The agent's connection is lost, and may come back: then `people` is called. Nobody left by it."""
        ...

    def deaf(self, for_s: float) -> None:
        """While the connection is lost: nothing has been heard for so long."""
        ...

    def hears(self, for_s: float) -> None:
        """After `deaf`: something has been heard again, for so long."""
        ...

    def moved(self) -> None:
        """The ids of the room or of the agent in it may be others now."""
        ...

    def joined(self, person: Person) -> None:
        """Somebody came."""
        ...

    def left(self, sid: str, identity: str, reason: str) -> None:
        """Somebody went."""
        ...

    def renamed(self, person: Person) -> None:
        """Somebody has another name now."""
        ...

    def muted(self, person: Person, track: Track, muted: bool) -> None:
        """An audio track was muted or unmuted."""
        ...

    def audio(self, person: Person, track: Track, frames: Frames) -> None:
        """A track can be heard; for one already heard: its source was replaced."""
        ...

    def silence(self, track_id: str, *, gone: bool) -> None:
        """A track is heard no more; `gone`: it will not come back under this id."""
        ...

    def disconnected(self, reason: LeaveReason) -> None:
        """The agent is out of the room for good."""
        ...
