"""Plays recordings onto the bus, as a room process does: lifecycle, roster, and each track's utterances."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.audio import SAMPLE_RATE
from roomscribe_common.contracts.base import AnyEvent, Participant, Track
from roomscribe_common.contracts.meeting import (
    MeetingEnded,
    MeetingEndedData,
    MeetingRequested,
    MeetingRequestedData,
    MeetingStarted,
    MeetingStartedData,
    ParticipantJoined,
    ParticipantJoinedData,
    ParticipantLeft,
    ParticipantLeftData,
)
from roomscribe_common.ids import new_id
from roomscribe_common.subjects import subject_of
from roomscribe_media_ingest.adapters.silero import SileroVad
from roomscribe_media_ingest.adapters.track_audio import TrackAudio
from roomscribe_media_ingest.domain.config import AudioConfig
from roomscribe_media_ingest.domain.utterance import TrackMeta

from roomscribe_cli.replay.recording import Recording

_FRAME = SAMPLE_RATE * 96 // 1000
_SOURCE = "roomscribe/replay"
"""The dispatcher sends agents only for meetings it asked for itself, so it leaves these alone."""
_TAIL_S = 1.0
"""Silence after each recording, so that its last utterance closes by itself."""
_MAX_QUEUED_BYTES = 16 * 32_000
_MAX_WAITING = 32
"""Work items the recognisers may be behind before the replay waits for them."""
_LOOK_EVERY_FRAMES = 64
_CLOSE_S = 60.0


class ReplayStuck(Exception):
    """Nobody takes the audio; the message says what to look at."""


class _Position:
    """A clock that stands where the replay stands."""

    def __init__(self, started_at: datetime) -> None:
        self._started_ms = started_at.timestamp() * 1000
        self.ms = 0.0

    def now_ms(self) -> float:
        return self.ms

    def unix_ms(self, meeting_ms: float) -> int:
        return round(self._started_ms + meeting_ms)


@dataclass(frozen=True, slots=True)
class Replay:
    """One meeting from files. `speed` is a multiple of real time, or None for as fast as it is recognised."""

    tenant: str
    meeting_id: str
    room: str
    title: str
    recordings: list[Recording]
    speed: float | None
    started_at: datetime

    @classmethod
    def of(cls, recordings: list[Recording], *, title: str, speed: float | None, tenant: str = "local") -> "Replay":
        """Begins now at real time or slower; else so that its last sample was recorded now."""
        length = timedelta(seconds=max(r.end_s for r in recordings)) if speed is None or speed > 1 else timedelta()
        started_at = datetime.now(UTC) - length
        return cls(tenant, new_id("mtg"), "replay", title, recordings, speed, started_at)

    def at(self, second: float) -> datetime:
        """Wall clock of a second of the meeting."""
        return self.started_at + timedelta(seconds=second)


class Player:
    """Plays one replay; `run` returns when everything is on the bus and the meeting has ended."""

    def __init__(self, replay: Replay, bus: Bus, stuck_s: float = 120.0) -> None:
        """`stuck_s`: how long nobody may take audio before the replay is given up."""
        self._replay = replay
        self._stuck_s = stuck_s
        self._bus = bus
        self._clock = _Position(replay.started_at)
        self._vad = SileroVad()

    async def announce(self) -> None:
        """Makes the meeting known; `run` comes after."""
        replay = self._replay
        requested = MeetingRequestedData(
            meeting_id=replay.meeting_id,
            room=replay.room,
            title=replay.title,
            requested_at=replay.started_at,
            started_at=replay.started_at,
            empty_room_timeout_s=0,
        )
        started = MeetingStartedData(
            meeting_id=replay.meeting_id,
            room=replay.room,
            room_sid=f"RM_{replay.meeting_id}",
            started_at=replay.started_at,
            joined_at=replay.started_at,
            epoch=1,
        )
        await self._tell(MeetingRequested, "requested", requested)
        await self._tell(MeetingStarted, "started", started)

    async def run(self) -> None:
        """Plays all recordings beside each other. Raises `ReplayStuck`; however it ends, the meeting has ended then."""
        try:
            await self._play()
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        finally:
            await self._end()

    async def _play(self) -> None:
        replay = self._replay
        tracks = [self._track(number, recording) for number, recording in enumerate(replay.recordings, 1)]
        async with asyncio.TaskGroup() as publishing:
            for track in tracks:
                publishing.create_task(track.run())
            await self._feed(tracks)
            for track in tracks:
                if not await track.close(_CLOSE_S):
                    raise ReplayStuck(f"the bus did not take the last words in {_CLOSE_S:g} s")

    async def _end(self) -> None:
        replay = self._replay
        ended = MeetingEndedData(
            meeting_id=replay.meeting_id,
            room=replay.room,
            started_at=replay.started_at,
            ended_at=replay.at(self._clock.ms / 1000),
            reason="room_closed",
        )
        await self._tell(MeetingEnded, "ended", ended)

    def _track(self, number: int, recording: Recording) -> TrackAudio:
        replay = self._replay
        meta = TrackMeta(
            tenant=replay.tenant,
            meeting_id=replay.meeting_id,
            room=replay.room,
            epoch=1,
            started_at=replay.started_at,
            participant=Participant(identity=recording.identity, name=recording.name),
            track=Track(id=f"TR_{number}", source="microphone"),
        )
        return TrackAudio(meta, vad=self._vad.track(), bus=self._bus, clock=self._clock, config=AudioConfig())

    async def _feed(self, tracks: list[TrackAudio]) -> None:
        replay, began = self._replay, time.monotonic()
        end_s = max(r.end_s for r in replay.recordings) + _TAIL_S
        position_s, present = 0.0, set[int]()
        while position_s < end_s:
            for number, (track, recording) in enumerate(zip(tracks, replay.recordings, strict=True)):
                await self._roster(number, recording, position_s, present)
                if recording.at_s <= position_s < recording.end_s + _TAIL_S:
                    track.feed(_frame(recording, position_s))
            position_s += _FRAME / SAMPLE_RATE
            self._clock.ms = position_s * 1000
            await self._pace(tracks, position_s, began)

    async def _pace(self, tracks: list[TrackAudio], position_s: float, began: float) -> None:
        speed = self._replay.speed
        if speed is not None:
            await asyncio.sleep(max(0.0, position_s / speed - (time.monotonic() - began)))
        if speed is None or speed > 1:
            try:
                async with asyncio.timeout(self._stuck_s):
                    await self._keep_in_step(tracks, round(position_s * SAMPLE_RATE / _FRAME))
            except TimeoutError as error:
                raise ReplayStuck(
                    f"no recogniser took audio for {self._stuck_s:g} s: is an stt-worker running?"
                ) from error

    async def _keep_in_step(self, tracks: list[TrackAudio], frame: int) -> None:
        """Waits until bus and recognisers are nearly as far: audio is kept for minutes only."""
        while any(track.queued_bytes > _MAX_QUEUED_BYTES for track in tracks):  # noqa: ASYNC110  # no event tells of it
            await asyncio.sleep(0.005)
        if frame % _LOOK_EVERY_FRAMES == 0:
            limit = _MAX_WAITING + len(tracks)
            while (await self._bus.js.stream_info("STT")).state.messages > limit:  # noqa: ASYNC110  # likewise
                await asyncio.sleep(0.05)

    async def _roster(self, number: int, recording: Recording, position_s: float, present: set[int]) -> None:
        if number not in present and recording.at_s <= position_s < recording.end_s:
            present.add(number)
            await self._someone("joined", number, recording, position_s)
        elif number in present and position_s >= recording.end_s + _TAIL_S - _FRAME / SAMPLE_RATE:
            present.discard(number)
            await self._someone("left", number, recording, position_s)

    async def _someone(
        self, what: Literal["joined", "left"], number: int, recording: Recording, position_s: float
    ) -> None:
        replay, at = self._replay, self._replay.at(position_s)
        common = {
            "meeting_id": replay.meeting_id,
            "room": replay.room,
            "epoch": 1,
            "participant": Participant(identity=recording.identity, name=recording.name),
            "participant_sid": f"PA_{number + 1}",
            "at": at,
        }
        if what == "joined":
            joined = ParticipantJoinedData.model_validate({**common, "joined_at": at, "kind": "standard"})
            await self._tell(ParticipantJoined, f"joined:PA_{number + 1}", joined)
        else:
            left = ParticipantLeftData.model_validate({**common, "reason": "recording_ended"})
            await self._tell(ParticipantLeft, f"left:PA_{number + 1}", left)

    async def _tell(self, event: type[AnyEvent], what: str, data: object) -> None:
        replay = self._replay
        subject = subject_of(event, replay.tenant, replay.meeting_id)
        id_ = f"{what}:{replay.meeting_id}"
        await self._bus.publish(event.new(id=id_, source=_SOURCE, subject=subject, tenant=replay.tenant, data=data))


def _frame(recording: Recording, position_s: float) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    first = round((position_s - recording.at_s) * SAMPLE_RATE)
    piece = recording.samples[first : first + _FRAME]
    return np.pad(piece, (0, _FRAME - len(piece)))
