"""What the dispatcher does with each command and event."""

import contextlib
import logging
from datetime import UTC, datetime

import nats.errors
from roomscribe_common import commands
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.agent import AgentJoined, AgentLeft, AgentRef
from roomscribe_common.contracts.commands import Done, EndMeeting, LeaveRoom, MeetingView, StartMeeting
from roomscribe_common.contracts.livekit import LivekitEvent
from roomscribe_common.contracts.meeting import EndReason
from roomscribe_common.delivery import Delivery
from roomscribe_common.errors import ProblemError, Retryable
from roomscribe_common.subjects import MEETING_ENDING, leave_room

from roomscribe_dispatcher import domain, events, requests, schedule
from roomscribe_dispatcher.adapters.livekit import is_human
from roomscribe_dispatcher.adapters.store import MeetingStore
from roomscribe_dispatcher.caps import Full
from roomscribe_dispatcher.catalog import Catalog
from roomscribe_dispatcher.domain import Meeting
from roomscribe_dispatcher.lifecycle import Lifecycle
from roomscribe_dispatcher.settings import DispatcherSettings

log = logging.getLogger(__name__)


class Dispatcher:
    """Starts and ends meetings, and follows their agents. Every way in (REST, LiveKit's agent socket) calls `start`."""

    def __init__(
        self,
        bus: Bus,
        store: MeetingStore,
        catalog: Catalog,
        lifecycle: Lifecycle,
        settings: DispatcherSettings,
    ) -> None:
        self._bus = bus
        self._store = store
        self._catalog = catalog
        self._lifecycle = lifecycle
        self._settings = settings

    async def start(self, command: StartMeeting) -> MeetingView:
        """Attend a room. Raises `ProblemError`; or `Retryable`, after which the meeting may yet be attended."""
        settings, now = self._settings, datetime.now(UTC)
        requests.check(command.spec, command.empty_room_timeout_s, settings)
        wrong = schedule.wrong_time(command.spec.join_at, now)
        if wrong is not None:
            known = await self._catalog.keyed(command.tenant, command.idempotency_key)
            if known is None:
                raise requests.invalid(wrong)
            return await self._existing(known, command)
        asked = domain.requested(
            command, now, settings.dispatcher_empty_room_timeout_s, settings.dispatcher_join_early_s
        )
        found = await self._catalog.claim(asked)
        if isinstance(found, Full):
            log.info("meeting refused", extra={"tenant": command.tenant, "reason": "concurrency_limit"})
            raise found.refusal()
        if found == "foreign":
            detail = "A meeting that is not yours has this room, or this id; try another, or again when it has ended."
            raise ProblemError.of("room-taken", 409, "The room is taken", detail)
        if found == "stale":
            raise Retryable("the series of this meeting has changed")
        if found is not None and (found.id != asked.id or found.epoch or found.state != "dispatching"):
            return await self._existing(found, command)
        if asked.state == "scheduled":
            await self._lifecycle.announce(asked)
            return asked.view(created=True)
        issued = await self._lifecycle.issue(found or asked)
        return issued.view(created=True)

    async def _existing(self, found: Meeting, command: StartMeeting) -> MeetingView:
        same_key = command.idempotency_key is not None and command.idempotency_key == found.idempotency_key
        if found.ending is not None and not found.over and not same_key and found.id != command.spec.meeting_id:
            detail = f"The meeting {found.id} in this room is about to end; try again in a few seconds."
            raise ProblemError.of("meeting-ending", 409, "The room's meeting is ending", detail)
        if not found.over:
            await self._lifecycle.announce(found)  # whoever claimed it may have died before it was said
        if found.vacant_since is not None and not found.over and not same_key and found.id != command.spec.meeting_id:
            # Whoever asks for an agent now expects somebody; the meeting as it is would end without one.
            await self._lifecycle.revive(found, datetime.now(UTC))
            found = await self._catalog.find(found.tenant, found.id) or found
        return found.view(created=False)

    async def end(self, command: EndMeeting) -> Done:
        """The agent is to leave. Returns once it said it will, or did not answer and will be waited for; or once the
        meeting has ended without one.
        """
        meeting = await self._catalog.find(command.tenant, command.meeting_id)
        if meeting is None:
            detail = f"There is no meeting {command.meeting_id}."
            raise ProblemError.of("meeting-not-found", 404, "No such meeting", detail)
        await self._end(meeting, command.reason)
        return Done()

    async def _end(self, meeting: Meeting, reason: EndReason) -> None:
        ending = await self._lifecycle.end(meeting, reason)
        if ending is None:
            # It was ending already, perhaps by somebody who died before telling the agent: so tell it again.
            ending = await self._catalog.find(meeting.tenant, meeting.id)
        if ending is None or ending.over:
            return
        if ending.epoch and await self._tell_to_leave(ending):
            return
        # Whoever did not answer may be busy, or cut off from the bus, with words it still has to bring there: then the
        # end waits for its leaving, its lease or `ending_until`, whichever comes first.
        if ending.joined_at is None or not await self._lifecycle.attended(ending):
            await self._lifecycle.conclude(ending)

    async def _tell_to_leave(self, meeting: Meeting) -> bool:
        ending = EndMeeting(tenant=meeting.tenant, meeting_id=meeting.id, reason=meeting.ending or "requested")
        # LiveKit takes a job for failed whose agent leaves before whichever replica has it says that it is done.
        with contextlib.suppress(nats.errors.Error):
            await self._bus.nc.publish(MEETING_ENDING, commands.encode(ending))
        order = LeaveRoom(epoch=meeting.epoch, reason=ending.reason)
        subject = leave_room(meeting.tenant, meeting.id)
        try:
            await self._bus.request(subject, order, Done, self._settings.dispatcher_leave_timeout_s)
        except ProblemError as error:
            log.info("no agent took the order to leave", extra={"meeting": meeting.id, "reason": error.problem.type})
            return False
        return True

    async def agent_joined(self, event: AgentJoined, delivery: Delivery) -> None:
        """The meeting is live."""
        meeting = await self._catalog.find(event.tenant, event.data.meeting_id)
        if meeting is not None and meeting.over:
            # Its job was issued by a replica that stood still while another ended the meeting.
            await self._lifecycle.expel(meeting)
        elif meeting is not None:
            await self._joined(meeting, event.data)

    async def _joined(self, meeting: Meeting, agent: AgentRef) -> Meeting | None:
        """The meeting with this agent in it; None if it is over or the agent is not its present one."""
        if meeting.over or agent.epoch < meeting.epoch:
            return None
        await self._lifecycle.once(events.started(meeting, agent))
        changed = await self._catalog.change(meeting, lambda known: domain.joined(known, agent))
        known = changed or await self._catalog.find(meeting.tenant, meeting.id)
        return known if known is not None and not known.over and known.epoch == agent.epoch else None

    async def agent_left(self, event: AgentLeft, delivery: Delivery | None = None) -> None:
        """The meeting ends with its agent, or wants the next one."""
        meeting = await self._catalog.find(event.tenant, event.data.meeting_id)
        # Replicas may hear of the leaving before the joining.
        meeting = None if meeting is None else await self._joined(meeting, event.data)
        if meeting is None:
            return
        if event.data.reason == "crashed":
            await self._lifecycle.release(meeting)  # which it cannot do itself
        reason = domain.ENDINGS.get(event.data.reason)
        if reason is not None:
            meeting = await self._lifecycle.end(meeting, reason) or await self._catalog.find(meeting.tenant, meeting.id)
        if meeting is None or meeting.over:
            return
        if meeting.ending is not None:
            await self._lifecycle.conclude(meeting)
        elif event.data.reason == "room_emptied":
            await self._lifecycle.vacate(meeting, event.data.empty_since or event.data.left_at)
        else:
            await self._lifecycle.step(meeting, attended=False)

    async def room_event(self, event: LivekitEvent, delivery: Delivery) -> None:
        """Somebody came into a room, or it closed: why it did, and whether that is the end, says its agent."""
        if event.data.event not in ("participant_joined", "room_finished"):
            return
        for tenant, meeting_id in await self._store.in_room(event.data.room):
            meeting = await self._catalog.find(tenant, meeting_id)
            if meeting is None or meeting.state != "live":
                continue
            if event.data.event == "participant_joined":
                if domain.brings_back(meeting, event.data.created_at) and is_human(event.data.body):
                    await self._lifecycle.revive(meeting, event.data.created_at)
            elif meeting.room_sid == event.data.room_sid and not await self._lifecycle.attended(meeting):
                await self._lifecycle.vacate(meeting, event.data.created_at)
