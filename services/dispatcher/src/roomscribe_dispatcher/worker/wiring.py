"""The composition of the agent worker, for `app.build`."""

from collections.abc import Awaitable, Callable
from typing import Final

from redis.asyncio import Redis
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.agent import AgentLeft
from roomscribe_common.contracts.commands import EndMeeting
from roomscribe_common.contracts.livekit import LivekitEvent
from roomscribe_common.contracts.meeting import MeetingEnded, MeetingFailed
from roomscribe_common.service import Service
from roomscribe_common.subjects import MEETING_ENDING, wildcard

from roomscribe_dispatcher.catalog import Catalog
from roomscribe_dispatcher.events import identity_of
from roomscribe_dispatcher.handlers import Dispatcher
from roomscribe_dispatcher.settings import DispatcherSettings
from roomscribe_dispatcher.worker.automatic import Automatic
from roomscribe_dispatcher.worker.jobs import Jobs
from roomscribe_dispatcher.worker.marks import Marks
from roomscribe_dispatcher.worker.placement import Placement
from roomscribe_dispatcher.worker.rooms import Rooms
from roomscribe_dispatcher.worker.rounds import Rounds
from roomscribe_dispatcher.worker.socket import AgentSocket

_ANY_ROOM: Final = "*"


async def build_worker(
    service: Service[DispatcherSettings], dispatcher: Dispatcher, catalog: Catalog, redis: Redis
) -> Callable[[LivekitEvent], Awaitable[None]]:
    """Registers with LiveKit and follows its dispatches; returns what webhooks are told to."""
    settings = service.settings
    server = (settings.livekit_url, settings.livekit_api_key, settings.livekit_api_secret.get_secret_value())
    name = "" if settings.dispatcher_agent_name == _ANY_ROOM else settings.dispatcher_agent_name
    tenant = settings.dispatcher_agent_tenant
    rooms, marks = Rooms(*server), Marks(redis)
    placement = Placement(dispatcher.start, marks)
    jobs = Jobs(placement, rooms, dispatcher.end, catalog.find, identity_of, tenant, service.meter)
    socket = AgentSocket(*server, name, jobs)
    automatic = Automatic(settings.dispatcher_auto_rules, tenant, placement, marks, rooms)
    rounds = Rounds(name, tenant, rooms, marks, placement, catalog.find, automatic, jobs)
    service.on_close(rooms.close)
    # Each replica hears all of it, for only one of them has the job: so no queue group is shared here.
    mine = Bus(service.nc, service.js, f"{service.name}-{settings.instance}", service.tracer)
    await mine.reply(MEETING_ENDING, jobs.meeting_ending, EndMeeting)
    service.subscribe(wildcard(AgentLeft), jobs.agent_left, AgentLeft)
    service.subscribe(wildcard(MeetingEnded), jobs.meeting_ended, MeetingEnded)
    service.subscribe(wildcard(MeetingFailed), jobs.meeting_failed, MeetingFailed)
    service.check("agent socket", socket.ping)
    service.spawn("agent rounds", rounds.run(socket.registered, service.stopping))
    service.spawn("agent socket", socket.run(service.stopping))
    service.on_close(jobs.finish)
    return automatic.heard
