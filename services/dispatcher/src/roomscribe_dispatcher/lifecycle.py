"""What happens to a meeting: its job is issued, its next one, it ends, it is given up.

Every step may be interrupted at any line and taken again: what is published is published once (the stream holds at
most one such event per meeting), and the record in Redis changes last.
"""

import asyncio
import contextlib
import logging
from datetime import UTC, datetime, timedelta
from typing import Final

import nats.errors
from nats.js import JetStreamContext
from roomscribe_common.bus import Bus, WrongSequence
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.dispatch import DispatchJob
from roomscribe_common.contracts.meeting import EndReason, MeetingState
from roomscribe_common.errors import Retryable
from roomscribe_common.lease import Leases
from roomscribe_common.registry import stream_of
from roomscribe_common.settings import env_name
from roomscribe_common.stored import last
from roomscribe_common.subjects import subject_of

from roomscribe_dispatcher import domain, events, schedule
from roomscribe_dispatcher.adapters.livekit import Livekit, LivekitUnusable
from roomscribe_dispatcher.adapters.redis import asking_redis
from roomscribe_dispatcher.catalog import Catalog
from roomscribe_dispatcher.domain import Blocked, Meeting, Policy
from roomscribe_dispatcher.loss import Loss

log = logging.getLogger(__name__)

_PUBLISH_S: Final = 3.0
_LIVEKIT_AWAY: Final = timedelta(hours=1)
"""A meeting whose LiveKit is away for longer has lost its agent for good."""


class Lifecycle:
    """Acts on meetings. Every call raises `Retryable` when a server does not answer."""

    def __init__(
        self, bus: Bus, js: JetStreamContext, catalog: Catalog, leases: Leases, livekit: Livekit | None, policy: Policy
    ) -> None:
        self._bus = bus
        self._js = js
        self._catalog = catalog
        self._leases = leases
        self._livekit = livekit
        self._policy = policy

    async def announce(self, meeting: Meeting) -> None:
        """Publish that the meeting is wanted, unless that was said."""
        await self.once(events.requested(meeting))

    async def once(self, event: AnyEvent) -> None:
        """Publish the first event on its subject; a second one is not needed.

        Asked before it is said: what a stream refuses, plain subscribers of the subject have heard all the same.
        """
        if await last(self._js, stream_of(type(event)), event.subject) is not None:
            return
        with contextlib.suppress(WrongSequence):
            await self._bus.publish(event, expected_last_subject_sequence=0, deadline_s=_PUBLISH_S)

    async def issue(self, meeting: Meeting) -> Meeting:
        """Send the job of the next epoch. The caller has stored the attempt, so nobody else sends one now."""
        if self._livekit is None:
            raise Retryable(f"{env_name('livekit_url')} is not set")
        with asking_redis():
            epoch = await self._leases.next_epoch(meeting.id, self._policy.placement_s)
        issued = meeting.model_copy(update={"epoch": epoch})
        job = events.job(issued, self._livekit.url, self._livekit.token(issued), datetime.now(UTC))
        # None waits for another: the job has all its reader needs, and a meeting that ends meanwhile ends its epoch.
        done = await asyncio.gather(
            self._catalog.change(meeting, lambda known: _with_epoch(known, epoch)),
            self.announce(issued),
            self._bus.publish(job, deadline_s=_PUBLISH_S),
            return_exceptions=True,
        )
        for failure in done:
            if isinstance(failure, BaseException):
                raise failure
        log.info("job issued", extra={"meeting": issued.id, "tenant": issued.tenant, "epoch": epoch})
        return issued

    async def step(self, meeting: Meeting, attended: bool) -> None:
        """Do what is next for the meeting, if anything is. `attended`: an agent holds its lease."""
        next_step = domain.next_step(meeting, attended, datetime.now(UTC), self._policy)
        if next_step in ("issue", "give_up") and meeting.state == "live" and await self._livekit_is_away(meeting):
            return
        match next_step:
            case "issue" if self._livekit is not None:
                await self._next_job(meeting)
            case "conclude":
                await self.conclude(meeting)
            case "close_empty":
                await self._conclude_as(meeting, "empty_room")
            case "give_up" | "issue":
                await self._give_up(meeting)
            case "nothing":
                return

    async def attended(self, meeting: Meeting) -> bool:
        """Whether an agent holds the meeting's lease."""
        with asking_redis():
            return await self._leases.current(meeting.id) is not None

    async def expel(self, meeting: Meeting) -> None:
        """The meeting is over: an agent that is there, or comes all the same, learns that it is stale."""
        with asking_redis():
            await self._leases.next_epoch(meeting.id)

    async def release(self, meeting: Meeting) -> None:
        """Its present agent is gone, so nobody holds it."""
        with asking_redis():
            await self._leases.release(meeting.id, meeting.epoch)

    async def end(self, meeting: Meeting, reason: EndReason) -> Meeting | None:
        """Store that the meeting is to end; None if that was known, or it is over."""
        now = datetime.now(UTC)
        return await self._catalog.change(meeting, lambda known: domain.ending(known, reason, now, self._policy))

    async def conclude(self, meeting: Meeting) -> None:
        """End the meeting for good: no agent of it is in the room, or is to stay there."""
        await self.announce(meeting)  # whoever claimed it may have died before it was said
        await self.once(events.ended(meeting, meeting.ending or "requested", datetime.now(UTC)))
        await self._close(meeting, "ended")
        log.info("meeting ended", extra={"meeting": meeting.id, "tenant": meeting.tenant, "reason": meeting.ending})

    async def vacate(self, meeting: Meeting, since: datetime) -> None:
        """Its room closed because nobody is there."""
        if await self._catalog.change(meeting, lambda known: domain.vacated(known, since)) is not None:
            log.info("room is empty and closed", extra={"meeting": meeting.id, "tenant": meeting.tenant})

    async def revive(self, meeting: Meeting, at: datetime) -> None:
        """Somebody came into the room of a meeting that had none any more."""
        revived = await self._catalog.change(meeting, lambda known: domain.returned(known, at))
        if revived is not None:
            await self.step(revived, attended=False)

    async def replace(self, meeting: Meeting, seen_at: datetime) -> None:
        """The meeting's agent believes to be in the room and is not, since it was seen there: the next one is."""
        lost = await self._catalog.loss(meeting)
        until = seen_at if lost is None else min(seen_at, lost.heard_until)

        def decide(known: Meeting) -> Meeting | None:
            if known.epoch != meeting.epoch or known.over or known.ending is not None or known.joined_at is None:
                return None
            return Loss(until, True).applied(domain.attempt(known, datetime.now(UTC), self._policy))

        mine = await self._catalog.change(meeting, decide)
        if mine is not None:
            await self.issue(mine)

    async def _livekit_is_away(self, meeting: Meeting) -> bool:
        """From a LiveKit that is away nothing is concluded: it may come back, and people into its rooms."""
        if self._livekit is None or await self._livekit.answers():
            return False
        lost = await self._catalog.loss(meeting)
        since = meeting.heard_until if lost is None else lost.heard_until
        return since is None or datetime.now(UTC) - since < _LIVEKIT_AWAY

    async def _next_job(self, meeting: Meeting) -> None:
        now = datetime.now(UTC)
        lost = await self._catalog.loss(meeting)

        def decide(known: Meeting) -> Meeting | None:
            if domain.next_step(known, False, now, self._policy) != "issue":
                return None
            issued = domain.attempt(known, now, self._policy)
            return issued if lost is None or known.epoch != meeting.epoch else lost.applied(issued)

        mine = await self._catalog.begin(meeting, decide)
        if isinstance(mine, Meeting):
            await self._withdraw_jobs(mine)
            await self.issue(mine)
        elif mine is not None:
            await self._delay(meeting, mine, now)

    async def _delay(self, meeting: Meeting, why: Blocked, now: datetime) -> None:
        """Say once that a scheduled meeting waits, as soon as that makes it late."""
        join_at = meeting.spec.join_at
        if join_at is None or now <= join_at + schedule.LATE or meeting.late_reason is not None:
            return
        await self.announce(meeting)
        await self.once(events.delayed(meeting, join_at, why, now))
        await self._catalog.change(
            meeting, lambda known: known.model_copy(update={"late_reason": known.late_reason or why})
        )
        log.warning("meeting delayed", extra={"meeting": meeting.id, "tenant": meeting.tenant, "reason": why})

    async def _give_up(self, meeting: Meeting) -> None:
        if meeting.state == "live":
            await self._conclude_as(meeting, "agent_lost")
            return
        if meeting.state == "scheduled" and self._livekit is not None:
            reason, detail = schedule.missed(meeting, self._policy.max_late_s)
        else:
            reason, detail = await self._why_nobody_joined(meeting)
        await self.announce(meeting)
        await self.once(events.failed(meeting, reason, detail, datetime.now(UTC)))
        await self._close(meeting, "failed")
        log.error(
            "meeting failed",
            extra={"meeting": meeting.id, "tenant": meeting.tenant, "reason": reason, "detail": detail},
        )

    async def _conclude_as(self, meeting: Meeting, reason: EndReason) -> None:
        ending = await self.end(meeting, reason)
        if ending is not None:
            await self.conclude(ending)

    async def _why_nobody_joined(self, meeting: Meeting) -> tuple[str, str]:
        if self._livekit is None:
            return "livekit_not_configured", f"{env_name('livekit_url')} is not set, so no agent can join a room."
        try:
            await self._livekit.ping()
        except LivekitUnusable as error:
            return error.reason, str(error)
        return "no_agent_joined", (
            f"No agent joined in {meeting.attempts} attempts, although LiveKit answers at {self._livekit.url}: check "
            f"that a media-ingest runs, reaches that address and has room ({env_name('ingest_rooms')}), and its log."
        )

    async def _close(self, meeting: Meeting, state: MeetingState) -> None:
        await self.expel(meeting)  # whoever still believes to attend it
        await self._withdraw_jobs(meeting)
        await self._catalog.change(
            meeting, lambda known: None if known.over else known.model_copy(update={"state": state})
        )

    async def _withdraw_jobs(self, meeting: Meeting) -> None:
        try:
            await self._js.purge_stream("DISPATCH", subject=subject_of(DispatchJob, meeting.tenant, meeting.id))
        except nats.errors.Error as error:
            raise Retryable("stream DISPATCH did not answer") from error


def _with_epoch(meeting: Meeting, epoch: int) -> Meeting | None:
    if meeting.over or meeting.ending is not None or meeting.epoch >= epoch:
        return None
    return meeting.model_copy(update={"epoch": epoch})
