"""One stay of the agent in a room: joins, listens, tells, and leaves with nothing left unsent."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from opentelemetry.trace import Tracer
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.agent import AgentRef, Counters, LeaveReason
from roomscribe_common.contracts.base import AnyEvent, Participant, Track
from roomscribe_common.contracts.commands import Done, LeaveRoom
from roomscribe_common.contracts.dispatch import DispatchJob
from roomscribe_common.contracts.meeting import EndReason
from roomscribe_common.contracts.stt import SttEndpoint
from roomscribe_common.contracts.transcript import TranscriptFinal, TranscriptInterim
from roomscribe_common.errors import ProblemError
from roomscribe_common.lease import Heard, Leases
from roomscribe_common.subjects import leave_room, subject_of

from roomscribe_media_ingest.adapters.clock import MeetingClock
from roomscribe_media_ingest.adapters.livekit_room import LivekitRoom, NotConnected
from roomscribe_media_ingest.adapters.silero import SileroVad
from roomscribe_media_ingest.adapters.track_audio import TrackAudio
from roomscribe_media_ingest.domain.backlog import Budget
from roomscribe_media_ingest.domain.config import AudioConfig
from roomscribe_media_ingest.domain.utterance import BYTES_PER_S, TrackMeta
from roomscribe_media_ingest.node.protocol import Joined
from roomscribe_media_ingest.room.captions import Captions
from roomscribe_media_ingest.room.heartbeat import Heartbeat, agent_ref
from roomscribe_media_ingest.room.outbox import Outbox
from roomscribe_media_ingest.room.people import RoomListener
from roomscribe_media_ingest.room.place import Place
from roomscribe_media_ingest.room.scene import Scene
from roomscribe_media_ingest.room.tenure import Tenure
from roomscribe_media_ingest.settings import IngestSettings

log = logging.getLogger(__name__)

_LAST_WORDS_S: Final = 1.0
_LAST_CAPTIONS_S: Final = 2.0
"""From the end of the last words on the bus to their captions in the room; usually half a second."""
_REASONS: Final[dict[EndReason, LeaveReason]] = {
    "requested": "requested",
    "room_closed": "room_closed",
    "empty_room": "empty_room",
    "agent_lost": "requested",
}
_ENDINGS: Final = frozenset[LeaveReason]({"requested", "room_closed", "room_emptied", "empty_room"})
"""No agent follows, or not before there are people again: nobody else would tell what this one has not heard."""


class Stale(Exception):
    """A later epoch has the meeting."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a warm process has at hand before it knows its meeting."""

    settings: IngestSettings
    bus: Bus
    leases: Leases
    vad: SileroVad
    tracer: Tracer
    tally: Callable[[Counters], None]


class Meeting:
    """First `join`, then `stay`; `leave` ends the stay from anywhere, and the first reason counts."""

    def __init__(
        self, job: DispatchJob, tools: Tools, room: Callable[[RoomListener], LivekitRoom] = LivekitRoom
    ) -> None:
        self._job = job.data
        self._tools = tools
        self._place = Place.of(job)
        known = [job.data.issued_at, job.data.heard_until or job.data.issued_at]
        self._clock = MeetingClock(job.data.started_at, not_before=max(known))
        self._budget = Budget(tools.settings.ingest_buffer_mb * 1_000_000)
        self._leaving: asyncio.Future[LeaveReason] = asyncio.get_running_loop().create_future()
        self._outbox = Outbox(tools.bus.publish)
        self._scene = Scene(self._place, self._outbox.put, self._listen, self.leave, self._clock)
        self._room = room(self._scene)
        if job.data.heard_until is not None:
            self._scene.absence.began(job.data.heard_until, anybody=job.data.anybody_there)
        self._hears = False
        self._captions = Captions(self._room, tools.tracer)
        ttl_s = tools.settings.ingest_lease_ttl_s
        self._tenure = Tenure(tools.leases, job.data.meeting_id, job.data.epoch, ttl_s, self._heard)

    def leave(self, reason: LeaveReason) -> None:
        """Ends the stay."""
        if not self._leaving.done():
            self._leaving.set_result(reason)

    async def join(self, claimed_at: float) -> Joined:
        """Connects; `connect_ms` counts from `claimed_at` (monotonic). Raises `Stale` or `NotConnected`.

        Asked before connecting, for the agent's identity is the meeting's: a stale job would throw the right agent out.
        """
        if not await self._tenure.take():
            raise Stale
        keeping = asyncio.create_task(self._until(self._tenure.keep(), "superseded"))
        try:
            await self._subscribe()
            await self._room.connect(self._job.livekit_url, self._job.token, self._tools.settings.ingest_join_timeout_s)
            sids = await self._room.sids()
        except BaseException:
            await self._room.close()
            raise
        finally:
            keeping.cancel()  # `stay` goes on
        agent = agent_ref(self._job, sids, self._tools.settings.instance, self._clock.now())
        connect_ms = max(0, round((time.monotonic() - claimed_at) * 1000))
        return Joined(connect_ms=connect_ms, agent=agent)

    async def stay(self, joined: Joined) -> LeaveReason:
        """Attends until there is a reason to leave; returns it when all is on the bus and the room is left."""
        heartbeat = self._heartbeat(joined.agent)
        self._hears = True
        self._outbox.put(heartbeat.joined(joined.connect_ms))
        self._room.look()
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(part) for part in self._parts(heartbeat)]
            reason = await self._leaving
            await self._leave(reason, heartbeat)
            for task in running:
                task.cancel()
        return reason

    def _parts(self, heartbeat: Heartbeat) -> tuple[Coroutine[None, None, None], ...]:
        settings = self._tools.settings
        return (
            self._outbox.run(),
            self._captions.run(),
            heartbeat.run(settings.ingest_heartbeat_s, self._beat),
            # The word that all before it is told, so that a loss from now on begins now.
            self._scene.absence.run(lambda: self._beat(heartbeat.beat())),
            self._follow(heartbeat),
            self._until(self._tenure.keep(), "superseded"),
            self._until(
                self._scene.presence.until_empty(self._job.empty_room_timeout_s, settings.ingest_first_human_timeout_s),
                "empty_room",
            ),
        )

    async def _leave(self, reason: LeaveReason, heartbeat: Heartbeat) -> None:
        log.info("leaving", extra={"reason": reason})
        settings = self._tools.settings
        patience_s = settings.ingest_flush_timeout_s if reason == "shutdown" else settings.patience_s
        deadline = time.monotonic() + patience_s
        if reason in _ENDINGS:
            self._scene.absence.end()
        heard_until = self._scene.absence.heard_until
        last_words = await self._scene.tracks.close(patience_s)
        if reason == "requested":  # else nobody is there to read them, or the agent cannot wait or show any
            await self._captions.shown(last_words, min(_LAST_CAPTIONS_S, deadline - time.monotonic()))
        if reason in ("room_closed", "room_emptied"):
            self._scene.everybody_left(reason)
        self._outbox.put(heartbeat.beat(final=True))
        if reason != "superseded":  # then the meeting is the other agent's to speak of
            self._outbox.put(heartbeat.left(reason, heard_until, self._scene.empty_since))
        await self._outbox.flush(max(_LAST_WORDS_S, deadline - time.monotonic()))
        if reason != "superseded":
            await self._tenure.give_up()
        await self._room.close()

    async def _until(self, condition: Coroutine[None, None, None], reason: LeaveReason) -> None:
        await condition
        self.leave(reason)

    def _heartbeat(self, ref: AgentRef) -> Heartbeat:
        scene = self._scene
        return Heartbeat(self._place, ref, lambda: scene.tracks.counters, lambda: scene.roster.humans, self._clock.now)

    async def _follow(self, heartbeat: Heartbeat) -> None:
        """Says where the agent is, whenever that is elsewhere: LiveKit came back and knew nothing of the room."""
        while True:
            await self._scene.elsewhere.wait()
            self._scene.elsewhere.clear()
            with contextlib.suppress(NotConnected):
                if (moved := heartbeat.moved(*await self._room.sids())) is not None:
                    log.warning("another connection", extra={"epoch": self._job.epoch})
                    self._outbox.put(moved)

    def _heard(self) -> Heard | None:
        """Until when all the agent heard is on the bus."""
        if not self._hears:
            return None
        unsent_ms = self._scene.tracks.unsent_since_ms
        unsent = [] if unsent_ms is None else [datetime.fromtimestamp(unsent_ms / 1000, UTC)]
        now = self._clock.now()
        return Heard(self._job.epoch, min(self._scene.absence.heard_until, *unsent, now), now)

    def _beat(self, event: AnyEvent) -> None:
        self._scene.elsewhere.set()
        self._outbox.put(event)
        self._tools.tally(self._scene.tracks.counters)

    async def _subscribe(self) -> None:
        """Both end with the connection."""
        bus = self._tools.bus
        place = self._place
        for event in (TranscriptInterim, TranscriptFinal):
            await bus.subscribe(subject_of(event, place.tenant, place.meeting_id), self._captions.receive, event)
        endpoints = subject_of(SttEndpoint, place.tenant, place.meeting_id) + ".*.*"
        await bus.subscribe(endpoints, self._sentence_over, SttEndpoint)
        # Under a name of its own: in one queue group with its twin, only one of them would hear the command.
        mine = Bus(bus.nc, bus.js, f"{bus.service}-{place.epoch}", self._tools.tracer)
        await mine.reply(leave_room(place.tenant, place.meeting_id), self._told_to_leave, LeaveRoom)

    async def _sentence_over(self, event: SttEndpoint) -> None:
        hint = event.data
        self._scene.tracks.sentence_over(hint.track_id, hint.utterance_id, hint.up_to_sample)

    async def _told_to_leave(self, command: LeaveRoom) -> Done:
        if command.epoch < self._place.epoch:
            raise ProblemError.of("stale-epoch", 409, "Stale epoch", f"epoch {self._place.epoch} is in the room")
        self.leave(_REASONS[command.reason])
        return Done()

    def _listen(self, participant: Participant, track: Track) -> TrackAudio:
        job = self._job
        meta = TrackMeta(
            tenant=self._place.tenant,
            meeting_id=job.meeting_id,
            room=job.room,
            epoch=job.epoch,
            started_at=job.started_at,
            participant=participant,
            track=track,
            language=job.language,
            keyterms=tuple(job.keyterms),
        )
        vad = self._tools.vad.track()
        config = AudioConfig(buffer_bytes=round(self._tools.settings.ingest_buffer_s * BYTES_PER_S))
        return TrackAudio(meta, vad=vad, bus=self._tools.bus, clock=self._clock, config=config, budget=self._budget)
