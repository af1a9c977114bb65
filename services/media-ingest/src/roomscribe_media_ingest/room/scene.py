"""What the agent perceives of its room: the roster, the tracks, whether anybody is left."""

from collections.abc import Callable
from datetime import UTC, datetime

from roomscribe_common.contracts.agent import LeaveReason
from roomscribe_common.contracts.base import AnyEvent, Participant, Track

from roomscribe_media_ingest.adapters.track_audio import TrackAudio
from roomscribe_media_ingest.room.people import Frames, Person
from roomscribe_media_ingest.room.place import Place
from roomscribe_media_ingest.room.presence import Presence
from roomscribe_media_ingest.room.roster import Roster
from roomscribe_media_ingest.room.tracks import Tracks


class Scene:
    """The `RoomListener` of a meeting."""

    def __init__(
        self,
        place: Place,
        tell: Callable[[AnyEvent], None],
        listen: Callable[[Participant, Track], TrackAudio],
        leave: Callable[[LeaveReason], None],
    ) -> None:
        self.roster = Roster(place, tell, lambda: datetime.now(UTC))
        self.tracks = Tracks(listen, tell)
        self._leave = leave
        self.presence = Presence(lambda: self.roster.humans)

    def people(self, present: list[Person]) -> None:
        """See `RoomListener`, as below."""
        self.tracks.stop_all_but({person.sid for person in present})
        self.roster.people(present)
        self.presence.changed()

    def joined(self, person: Person) -> None:
        """Somebody came."""
        self.roster.joined(person)
        self.presence.changed()

    def left(self, sid: str, identity: str, reason: str) -> None:
        """Somebody went, with their tracks."""
        self.tracks.stop_all_of(sid)
        self.roster.left(sid, identity, reason)
        self.presence.changed()

    def renamed(self, person: Person) -> None:
        """Somebody's next words go by another name."""
        self.tracks.rename(person)
        self.roster.renamed(person)

    def muted(self, person: Person, track: Track, muted: bool) -> None:
        """A muted track ends its utterance."""
        if muted:
            self.tracks.mute(track.id)
        self.roster.muted(person, track, muted)

    def audio(self, person: Person, track: Track, frames: Frames) -> None:
        """A track can be heard."""
        self.tracks.start(person, track, frames)

    def silence(self, track_id: str, *, gone: bool) -> None:
        """A track can be heard no more."""
        if gone:
            self.tracks.stop(track_id)
            self.roster.forget(track_id)
        else:
            self.tracks.pause(track_id)

    def disconnected(self, reason: LeaveReason) -> None:
        """The agent is out of the room."""
        self._leave(reason)
