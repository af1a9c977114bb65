"""Who is in the room, and the events that tell it: each arrival, departure, new name and mute once per epoch."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from roomscribe_common.contracts.base import AnyEvent, Track
from roomscribe_common.contracts.meeting import (
    ParticipantJoined,
    ParticipantJoinedData,
    ParticipantLeft,
    ParticipantLeftData,
    ParticipantMuted,
    ParticipantMutedData,
    ParticipantRenamed,
    ParticipantRenamedData,
    RosterData,
)
from roomscribe_common.ids import new_id

from roomscribe_media_ingest.room.people import Person
from roomscribe_media_ingest.room.place import Place


class Roster:
    """Tells each change through `tell`, and nothing twice. Keyed by connection, so a return is a new arrival."""

    def __init__(self, place: Place, tell: Callable[[AnyEvent], None], now: Callable[[], datetime]) -> None:
        self._place = place
        self._tell = tell
        self._now = now
        self._present: dict[str, Person] = {}
        self._muted: dict[str, bool] = {}

    @property
    def humans(self) -> int:
        """People, callers and ingress; neither agents nor egress."""
        return sum(person.is_human for person in self._present.values())

    def people(self, present: list[Person]) -> None:
        """Brings the roster to this state, whatever was missed."""
        there = {person.sid for person in present}
        for sid, person in list(self._present.items()):
            if sid not in there:
                self.left(sid, person.identity, "")
        for person in present:
            self.joined(person)
            self.renamed(person)

    def joined(self, person: Person) -> None:
        """Somebody is there. The same identity under an older connection is gone by that."""
        if person.sid in self._present:
            return
        for sid, other in list(self._present.items()):
            if other.identity == person.identity:
                self.left(sid, other.identity, "reconnected")
        self._present[person.sid] = person
        data = ParticipantJoinedData(**self._who(person), joined_at=person.joined_at or self._now(), kind=person.kind)
        # Of the connection and the epoch: a twin of this agent tells the same thing under the same id.
        self._tell(self._place.event(ParticipantJoined, f"joined:{person.sid}:{self._place.epoch}", data))

    def left(self, sid: str, identity: str, reason: str) -> None:
        """Somebody is gone; whoever was not known to be there is no news."""
        person = self._present.pop(sid, None)
        if person is None:
            return
        data = ParticipantLeftData(**self._who(person), reason=reason)
        self._tell(self._place.event(ParticipantLeft, f"left:{sid}:{self._place.epoch}", data))

    def renamed(self, person: Person) -> None:
        """Somebody may have another name."""
        before = self._present.get(person.sid)
        if before is None or before.name == person.name:
            return
        self._present[person.sid] = person
        data = ParticipantRenamedData(**self._who(person), previous_name=before.name)
        self._tell(self._place.event(ParticipantRenamed, new_id("renamed"), data))

    def muted(self, person: Person, track: Track, muted: bool) -> None:
        """A track was muted or unmuted. A track is taken to begin unmuted."""
        if self._muted.get(track.id, False) == muted:
            return
        self._muted[track.id] = muted
        data = ParticipantMutedData(**self._who(person), track=track, muted=muted)
        self._tell(self._place.event(ParticipantMuted, new_id("muted"), data))

    def forget(self, track_id: str) -> None:
        """A track is gone."""
        self._muted.pop(track_id, None)

    def empty(self, reason: str) -> None:
        """Everybody is gone: the room was closed."""
        for sid, person in list(self._present.items()):
            self.left(sid, person.identity, reason)

    def _who(self, person: Person) -> dict[str, Any]:
        return RosterData(
            meeting_id=self._place.meeting_id,
            room=self._place.room,
            epoch=self._place.epoch,
            participant=person.participant,
            participant_sid=person.sid,
            at=self._now(),
        ).model_dump()
