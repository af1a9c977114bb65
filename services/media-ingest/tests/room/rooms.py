"""People in LiveKit rooms, and what they see and hear there."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
from livekit import api, rtc
from numpy.typing import NDArray
from roomscribe_common.testing.fixtures import Livekit

from .eventually import eventually
from .speech import RATE


@dataclass
class Caption:
    sender: str
    text: str
    attributes: dict[str, str]


@dataclass
class Person:
    """Somebody in a room, with a microphone where asked for."""

    room: rtc.Room
    identity: str
    agents: dict[str, float] = field(default_factory=dict[str, float])
    """When each agent was first seen."""
    captions: list[Caption] = field(default_factory=list[Caption])
    source: rtc.AudioSource | None = None
    publications: dict[str, rtc.LocalTrackPublication] = field(default_factory=dict[str, rtc.LocalTrackPublication])
    subscribed: set[str] = field(default_factory=set[str])
    """Tracks somebody listens to."""

    async def unmute(self, source: rtc.TrackSource.ValueType = rtc.TrackSource.SOURCE_MICROPHONE) -> str:
        """Publishes a microphone; returns the track's id."""
        self.source = rtc.AudioSource(RATE, 1, queue_size_ms=1000)
        track = rtc.LocalAudioTrack.create_audio_track("audio", self.source)
        return await self._publish(track, source)

    async def show_video(self) -> str:
        """Publishes a camera; returns the track's id."""
        track = rtc.LocalVideoTrack.create_video_track("video", rtc.VideoSource(64, 64))
        return await self._publish(track, rtc.TrackSource.SOURCE_CAMERA)

    def mute(self, track_id: str, muted: bool) -> None:
        track = self.publications[track_id].track
        assert isinstance(track, rtc.LocalAudioTrack)
        if muted:
            track.mute()
        else:
            track.unmute()

    def allow_listening(self, allowed: bool) -> None:
        """Whether anybody may subscribe to this person's tracks; the server ends and makes subscriptions by it."""
        self.room.local_participant.set_track_subscription_permissions(allow_all_participants=allowed)

    async def unpublish(self, track_id: str) -> None:
        await self.room.local_participant.unpublish_track(track_id)

    async def leave(self) -> None:
        await self.room.disconnect()

    def heard(self, track_id: str) -> bool:
        """Whether somebody subscribed to the track."""
        return track_id in self.subscribed

    async def is_heard(self, track_id: str) -> None:
        await eventually(lambda: self.heard(track_id))

    async def _publish(self, track: rtc.LocalTrack, source: rtc.TrackSource.ValueType) -> str:
        publication = await self.room.local_participant.publish_track(track, rtc.TrackPublishOptions(source=source))
        self.publications[publication.sid] = publication
        return publication.sid

    async def play(self, speech: NDArray[np.int16]) -> None:
        """Says it, in real time."""
        assert self.source is not None
        size = RATE // 50
        for at in range(0, len(speech) - size + 1, size):
            frame = rtc.AudioFrame(speech[at : at + size].tobytes(), RATE, 1, size)
            await self.source.capture_frame(frame)

    async def sees(self, identity: str) -> None:
        await eventually(lambda: identity in self.room.remote_participants)

    async def sees_agent(self) -> str:
        return await eventually(lambda: next(iter(self.present_agents()), None))

    async def sees_no_agent(self) -> None:
        await eventually(lambda: not self.present_agents())

    def present_agents(self) -> list[str]:
        everybody = self.room.remote_participants.values()
        return [p.identity for p in everybody if p.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT]


class Rooms:
    """Lets people and agents into rooms of one LiveKit server, and all out at the end."""

    def __init__(self, livekit: Livekit) -> None:
        self.livekit = livekit
        self._people: list[Person] = []
        self._reading: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def open(cls, livekit: Livekit) -> "AsyncGenerator[Rooms]":
        opened = cls(livekit)
        try:
            yield opened
        finally:
            for person in opened._people:
                await person.room.disconnect()
            for task in opened._reading:
                task.cancel()

    def token(self, room: str, identity: str, name: str, *, agent: bool = False, secret: str | None = None) -> str:
        grants = api.VideoGrants(room_join=True, room=room, can_update_own_metadata=True, can_publish_data=True)
        if agent:
            grants.agent = True
        token = api.AccessToken(self.livekit.api_key, secret or self.livekit.api_secret)
        token = token.with_identity(identity).with_name(name).with_grants(grants)
        return (token.with_kind("agent") if agent else token).to_jwt()

    async def enter(self, room: str, identity: str, name: str = "", *, agent: bool = False) -> Person:
        person = Person(rtc.Room(), identity)
        self._watch(person)
        token = self.token(room, identity, name or identity, agent=agent)
        # So that only the agent can be whoever subscribes to a track.
        await person.room.connect(self.livekit.url, token, rtc.RoomOptions(auto_subscribe=False))
        self._people.append(person)
        return person

    async def delete(self, room: str) -> None:
        async with api.LiveKitAPI(
            self.livekit.url.replace("ws", "http", 1), self.livekit.api_key, self.livekit.api_secret
        ) as lk:
            request = api.DeleteRoomRequest(room=room)  # pyright: ignore[reportPrivateImportUsage]  # star import
            await lk.room.delete_room(request)

    def _watch(self, person: Person) -> None:
        def came(other: rtc.RemoteParticipant) -> None:
            if other.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT:
                person.agents.setdefault(other.sid, time.monotonic())

        def listened(track: rtc.Track) -> None:
            person.subscribed.add(track.sid)

        async def read(reader: rtc.TextStreamReader, sender: str) -> None:
            attributes = dict(reader.info.attributes or {})
            person.captions.append(Caption(sender, await reader.read_all(), attributes))

        def stream(reader: rtc.TextStreamReader, sender: str) -> None:
            task = asyncio.create_task(read(reader, sender))
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)

        person.room.on("participant_connected", came)  # pyright: ignore[reportUnknownMemberType]  # bare Callable
        person.room.on("local_track_subscribed", listened)  # pyright: ignore[reportUnknownMemberType]  # bare Callable
        person.room.register_text_stream_handler("lk.transcription", stream)
