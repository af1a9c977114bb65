"""What the agent perceives of its room: the roster, the tracks, whether anybody is left."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from roomscribe_common.contracts.agent import LeaveReason
from roomscribe_common.contracts.base import AnyEvent, Participant, Track

from roomscribe_media_ingest.adapters.clock import MeetingClock
from roomscribe_media_ingest.adapters.track_audio import TrackAudio
from roomscribe_media_ingest.room.absence import Absence
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
        clock: MeetingClock,
    ) -> None:
        self.absence = Absence(place, clock, tell)
        self.empty_since: datetime | None = None
        """When the last human went, or the agent found nobody."""
        self.elsewhere = asyncio.Event()
        """The agent's place may have other ids now."""
        self._clock = clock
        self._now = clock.now
        self._away_at: datetime | None = None
        self._torn = False
        self.roster = Roster(place, tell, clock.now)
        self.tracks = Tracks(listen, tell)
        self._leave = leave
        self.presence = Presence(lambda: self.roster.humans)

    def people(self, present: list[Person]) -> None:
        """See `RoomListener`, as below."""
        self.tracks.stop_all_but({person.sid for person in present})
        self.roster.people(present)
        self._counted()
        if self._torn:
            self.presence.anew()
        self._away_at, self._torn = None, False
        self.absence.back(min((person.joined_at or self._now() for person in present if person.is_human), default=None))

    def away(self) -> None:
        """LiveKit may be back with the very same connection, of which nobody noticed anything."""
        self._away_at = self.absence.heard_until
        self.absence.away()

    def deaf(self, for_s: float) -> None:
        """The hole began before LiveKit told of a loss."""
        self.absence.began(self._now() - timedelta(seconds=for_s), anybody=self.roster.humans > 0)

    def hears(self, for_s: float) -> None:
        """The same connection is heard again."""
        self.absence.end(self._clock.now_ms() - for_s * 1000)

    def moved(self) -> None:
        """After a connection that came back as another."""
        self.elsewhere.set()

    def joined(self, person: Person) -> None:
        """Somebody came."""
        self.roster.joined(person)
        self._counted()

    def left(self, sid: str, identity: str, reason: str) -> None:
        """Somebody went, with their tracks."""
        self.tracks.stop_all_of(sid)
        if self._away_at is not None:
            self._tear()
            return
        self.roster.left(sid, identity, reason)
        self._counted()

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
        self.tracks.start(person, track, self.absence.noticing(frames))

    def silence(self, track_id: str, *, gone: bool) -> None:
        """A track can be heard no more."""
        if gone:
            self.tracks.stop(track_id)
            self.roster.forget(track_id)
        else:
            self.tracks.pause(track_id)

    def disconnected(self, reason: LeaveReason) -> None:
        """The agent is out of the room."""
        if self._away_at is not None:
            self._tear()
        self._leave(reason)

    def everybody_left(self, reason: str) -> None:
        """The room is closed, and people in it are news no more."""
        self.roster.empty(reason)
        self._counted()

    def _counted(self) -> None:
        if self.roster.humans:
            self.empty_since = None
        elif self.empty_since is None:
            self.empty_since = self._now()
        self.presence.changed()

    def _tear(self) -> None:
        """The connection will not come back, at best another one: nothing was heard since it was lost."""
        self._torn = True
        self.absence.began(self._away_at, anybody=self.roster.humans > 0)
