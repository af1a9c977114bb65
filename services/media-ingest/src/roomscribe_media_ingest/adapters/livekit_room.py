"""A LiveKit room through livekit's SDK: what happens in it as values of ours, and what we do in it."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Final

import numpy as np
from livekit import rtc
from numpy.typing import NDArray
from roomscribe_common.contracts.agent import LeaveReason
from roomscribe_common.contracts.base import Track, TrackSource

from roomscribe_media_ingest.adapters.livekit_runtime import without_tokens
from roomscribe_media_ingest.adapters.media_watch import MediaWatch
from roomscribe_media_ingest.room.captions import CaptionNotSent
from roomscribe_media_ingest.room.people import Kind, Person, RoomListener

log = logging.getLogger(__name__)

STATE: Final = {"lk.agent.state": "listening"}
FRAME_MS: Final = 96
"""One call of the voice model."""
_FRAMES_KEPT: Final = 600
"""A minute: a process that stands still for longer has lost its lease, so no frame is ever dropped unseen."""
_ANSWER_S: Final = 3.0

_KINDS: Final[dict[int, Kind]] = {
    rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD: "standard",
    rtc.ParticipantKind.PARTICIPANT_KIND_INGRESS: "ingress",
    rtc.ParticipantKind.PARTICIPANT_KIND_EGRESS: "egress",
    rtc.ParticipantKind.PARTICIPANT_KIND_SIP: "sip",
    rtc.ParticipantKind.PARTICIPANT_KIND_AGENT: "agent",
    rtc.ParticipantKind.PARTICIPANT_KIND_CONNECTOR: "connector",
    rtc.ParticipantKind.PARTICIPANT_KIND_BRIDGE: "bridge",
}
_SOURCES: Final[dict[int, TrackSource]] = {
    rtc.TrackSource.SOURCE_MICROPHONE: "microphone",
    rtc.TrackSource.SOURCE_SCREENSHARE_AUDIO: "screen_share_audio",
    rtc.TrackSource.SOURCE_UNKNOWN: "unknown",
}
_REASONS: Final[dict[int, LeaveReason]] = {
    rtc.DisconnectReason.CLIENT_INITIATED: "requested",
    rtc.DisconnectReason.DUPLICATE_IDENTITY: "superseded",
    rtc.DisconnectReason.PARTICIPANT_REMOVED: "requested",
    rtc.DisconnectReason.ROOM_DELETED: "room_closed",
    rtc.DisconnectReason.ROOM_CLOSED: "room_emptied",
}
"""Whatever else ends a connection is a failure, after which the meeting still wants an agent."""


class NotConnected(Exception):
    """The room could not be joined."""


class LivekitRoom:
    """One connection to one room. Tells `listener` what happens from `connect` on."""

    def __init__(self, listener: RoomListener) -> None:
        self._listener = listener
        self._room = rtc.Room()
        handlers: dict[rtc.room.EventTypes, Callable[..., None]] = {
            "participant_connected": self._connected,
            "participant_disconnected": self._participant_left,
            "participant_name_changed": self._renamed,
            "track_published": self._published,
            "track_unpublished": self._unpublished,
            "track_subscribed": self._subscribed,
            "track_unsubscribed": self._unsubscribed,
            "track_subscription_failed": self._subscription_failed,
            "track_muted": self._muted,
            "track_unmuted": self._unmuted,
            "reconnecting": self._reconnecting,
            "reconnected": self._reconnected,
            "room_updated": listener.moved,
            "disconnected": self._disconnected,
        }
        for event, handler in handlers.items():
            self._room.on(event, handler)  # pyright: ignore[reportUnknownMemberType]  # Callable without arguments
        self._again: set[asyncio.Task[None]] = set()
        self._media = MediaWatch(self._microphone, listener)

    async def connect(self, url: str, token: str, timeout_s: float) -> None:
        """Joins, and shows itself at once. Raises `NotConnected`, whose text holds no secret."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._room.connect(url, token, rtc.RoomOptions(auto_subscribe=False))
        except rtc.ConnectError as error:
            raise NotConnected(without_tokens(error.message)[:300]) from None
        except TimeoutError:
            raise NotConnected(f"no answer from LiveKit within {timeout_s:g} s") from None
        await self._show()

    async def sids(self) -> tuple[str, str]:
        """The room's id and the agent's own, which a connection that came back as another tells seconds later.

        Raises `NotConnected`.
        """
        try:
            async with asyncio.timeout(_ANSWER_S):
                return await self._room.sid, self._room.local_participant.sid
        except (TimeoutError, RuntimeError) as error:
            raise NotConnected("LiveKit gave the room no id") from error

    def look(self) -> None:
        """Tells who is there, and listens to every track that is to be heard."""
        present = [_person(participant) for participant in self._room.remote_participants.values()]
        self._listener.people(present)
        for participant in self._room.remote_participants.values():
            for publication in participant.track_publications.values():
                self._published(publication, participant)
                if publication.muted and (track := _wanted(publication, participant)) is not None:
                    self._listener.muted(_person(participant), track, True)

    async def send_text(self, topic: str, text: str, *, sender: str, attributes: dict[str, str]) -> None:
        """One complete text stream in the sender's name. Raises `CaptionNotSent`."""
        if not self._room.isconnected():
            raise CaptionNotSent("not connected")
        try:
            writer = await self._room.local_participant.stream_text(
                topic=topic, sender_identity=sender, attributes=attributes
            )
            if text:
                await writer.write(text)
            await writer.aclose()
        except (rtc.StreamError, RuntimeError) as error:
            raise CaptionNotSent(str(error)) from error

    async def close(self) -> None:
        """Leaves the room, if it can be done in a few seconds."""
        await self._media.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_S):
                await self._room.disconnect()

    async def _show(self) -> None:
        # LiveKit announces whoever publishes nothing only every 3 s, but a change of attributes at once.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_S):
                await self._room.local_participant.set_attributes(STATE)

    def _connected(self, participant: rtc.RemoteParticipant) -> None:
        self._listener.joined(_person(participant))

    def _participant_left(self, participant: rtc.RemoteParticipant) -> None:
        reason = participant.disconnect_reason
        name = rtc.DisconnectReason.Name(reason).lower() if reason is not None else ""
        self._listener.left(participant.sid, participant.identity, name)

    def _renamed(self, participant: rtc.Participant) -> None:
        if isinstance(participant, rtc.RemoteParticipant):
            self._listener.renamed(_person(participant))

    def _published(self, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant) -> None:
        if _wanted(publication, participant) is not None and not publication.subscribed:
            publication.set_subscribed(True)

    def _unpublished(self, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant) -> None:
        self._listener.silence(publication.sid, gone=True)

    def _subscribed(
        self, track: rtc.Track, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        ours = _wanted(publication, participant)
        if ours is not None:
            self._listener.audio(_person(participant), ours, lambda: _frames(track))

    def _unsubscribed(
        self, track: rtc.Track, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        self._listener.silence(publication.sid, gone=False)

    def _subscription_failed(self, participant: rtc.RemoteParticipant, track_sid: str, error: str) -> None:
        log.error("track could not be subscribed", extra={"track": track_sid, "error": error})

    def _muted(self, participant: rtc.Participant, publication: rtc.TrackPublication) -> None:
        self._mute(participant, publication, True)

    def _unmuted(self, participant: rtc.Participant, publication: rtc.TrackPublication) -> None:
        self._mute(participant, publication, False)

    def _mute(self, participant: rtc.Participant, publication: rtc.TrackPublication, muted: bool) -> None:
        if isinstance(participant, rtc.RemoteParticipant):
            track = _wanted(publication, participant)
            if track is not None:
                self._listener.muted(_person(participant), track, muted)

    def _reconnecting(self) -> None:
        self._listener.away()
        self._media.lost()

    def _reconnected(self) -> None:
        log.warning("livekit reconnected")
        self._media.repaired()
        self.look()
        # A full reconnect is a new participant to the server, with the token's attributes.
        task = asyncio.create_task(self._show())
        self._again.add(task)
        task.add_done_callback(self._again.discard)

    def _microphone(self) -> rtc.Track | None:
        """One that is heard, and open."""
        for participant in self._room.remote_participants.values():
            for publication in participant.track_publications.values():
                heard = publication.track is not None and _wanted(publication, participant) is not None
                if heard and not publication.muted:
                    return publication.track
        return None

    def _disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        log.info("livekit disconnected", extra={"reason": rtc.DisconnectReason.Name(reason)})
        self._listener.disconnected(_REASONS.get(reason, "failed"))


def _person(participant: rtc.RemoteParticipant) -> Person:
    kind = _KINDS.get(participant.kind, "unknown")
    return Person(participant.sid, participant.identity, participant.name, kind, participant.joined_at)


def _wanted(publication: rtc.TrackPublication, participant: rtc.RemoteParticipant) -> Track | None:
    """The track, if it is to be heard: sound, and not another agent's."""
    if publication.kind != rtc.TrackKind.KIND_AUDIO or _KINDS.get(participant.kind) in ("agent", "egress"):
        return None
    source = _SOURCES.get(publication.source)
    return None if source is None else Track(id=publication.sid, source=source)


async def _frames(track: rtc.Track) -> AsyncGenerator[NDArray[np.int16], None]:
    stream = rtc.AudioStream(track, capacity=_FRAMES_KEPT, sample_rate=16_000, num_channels=1, frame_size_ms=FRAME_MS)
    try:
        async for event in stream:
            yield np.frombuffer(event.frame.data, dtype=np.int16)
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_S):
                await stream.aclose()
