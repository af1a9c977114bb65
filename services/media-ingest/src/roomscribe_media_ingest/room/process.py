"""The room process: a child of the fork server that gets ready, is given one meeting, and ends with it."""

import asyncio
import contextlib
import ctypes
import functools
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Callable
from typing import Final

from nats.js import JetStreamContext
from redis.exceptions import RedisError
from roomscribe_common import connection, logs, telemetry
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.agent import Counters
from roomscribe_common.lease import Leases
from setproctitle import setproctitle

from roomscribe_media_ingest.adapters import livekit_runtime
from roomscribe_media_ingest.adapters.livekit_room import NotConnected
from roomscribe_media_ingest.adapters.redis import client, ping
from roomscribe_media_ingest.adapters.silero import SileroVad
from roomscribe_media_ingest.node.protocol import (
    TO_ROOM,
    Attend,
    Channel,
    Ended,
    Leave,
    Ready,
    Refused,
    Tally,
    open_channel,
)
from roomscribe_media_ingest.room.meeting import Meeting, Stale, Tools
from roomscribe_media_ingest.settings import IngestSettings

log = logging.getLogger(__name__)

NAME: Final = "media-ingest"
_PR_SET_PDEATHSIG: Final = 1
_REDIS_S: Final = 1.0
_WORD_S: Final = 1.0
_END_S: Final = 10.0

Node = Channel[Attend | Leave]


@functools.cache
def voice_model() -> SileroVad:
    """The voice model of this process; the fork server loads it, and every room process shares its copy."""
    return SileroVad()


def main(end: socket.socket, settings: IngestSettings) -> None:
    """Runs in the child. Never returns: it ends without the interpreter's own exit, in which the SDK may abort."""
    code = 1
    try:
        _become_room_process(settings)
        asyncio.run(_serve(end, settings))
        livekit_runtime.dispose()
        code = 0
    except connection.Unreachable as error:
        log.critical("cannot start", extra={"error": str(error)})
    except BaseException as error:  # the process boundary
        log.critical("room process crashed", exc_info=error)
    finally:
        sys.stderr.flush()
        os._exit(code)


def _become_room_process(settings: IngestSettings) -> None:
    # The fork server ends when the node does, and takes its children along by this.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # Ctrl-C reaches the whole group: the node's word decides, so that what is open is brought home.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    setproctitle("roomscribe: room (warm)")
    logs.configure(
        NAME, settings.instance, level=settings.log_level, form=settings.log_format, keep_pii=settings.log_pii
    )


async def _serve(end: socket.socket, settings: IngestSettings) -> None:
    node: Node = await open_channel(end, TO_ROOM)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, _stop, stop, settings.leave_timeout_s)
    lost = asyncio.Event()
    async with _tools(settings, node, lost.set) as tools, asyncio.TaskGroup() as tasks:
        watch = tasks.create_task(_until_lost(lost))
        node.send(Ready())
        order = await _first(node, stop)
        if isinstance(order, Attend):
            with (
                logs.bound(tenant=order.job.tenant, meeting=order.job.data.meeting_id),
                telemetry.processing(tools.tracer, order.job.subject, order.headers),
            ):
                await _attend(order, tools, node, stop)
        # Nothing is lost any more; whatever hangs in an ending process must not keep its place.
        signal.setitimer(signal.ITIMER_REAL, _END_S)
        watch.cancel()
    node.close()


async def _until_lost(lost: asyncio.Event) -> None:
    """An agent that can store nothing must not stay: once it is dead its lease runs out, and the next one comes."""
    await lost.wait()
    signal.setitimer(signal.ITIMER_REAL, _END_S)
    raise ConnectionError("the connection to NATS was closed for good")


def _stop(stop: asyncio.Event, within_s: float) -> None:
    """Leaves in order, and by the kernel's hand if that takes too long: nobody else may be left to do it."""
    stop.set()
    signal.setitimer(signal.ITIMER_REAL, within_s)


@contextlib.asynccontextmanager
async def _tools(settings: IngestSettings, node: Node, on_lost: Callable[[], None]) -> AsyncGenerator[Tools, None]:
    providers = telemetry.Telemetry(NAME, settings.instance)
    providers.install()
    name = f"{NAME}/{settings.instance}/room-{os.getpid()}"
    nc = await connection.connect(settings.nats_url, name, timeout_s=settings.start_timeout_s, on_closed=on_lost)
    redis = client(settings.redis_url, _REDIS_S)
    leases = Leases(redis, settings.ingest_lease_ttl_s)
    await livekit_runtime.warm_up()
    with contextlib.suppress(RedisError, OSError):
        await ping(redis)  # connects; a Redis that is away is no reason not to wait for a meeting

    def tally(counters: Counters) -> None:
        node.send(Tally(counters=counters))

    bus = Bus(nc, JetStreamContext(nc), NAME, providers.tracer)
    try:
        yield Tools(settings, bus, leases, voice_model(), providers.tracer, tally)
    finally:
        await connection.close(nc)
        await redis.aclose()
        providers.shutdown()


async def _first(node: Node, stop: asyncio.Event) -> Attend | Leave | None:
    """The meeting; None if there will be none: the node is gone, or the process is to end."""
    word = asyncio.create_task(node.receive())
    stopped = asyncio.create_task(stop.wait())
    done, rest = await asyncio.wait({word, stopped}, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    return word.result() if word in done else None


async def _attend(order: Attend, tools: Tools, node: Node, stop: asyncio.Event) -> None:
    setproctitle(f"roomscribe: room {order.job.data.meeting_id}")
    meeting = Meeting(order.job, tools)
    try:
        joined = await meeting.join(order.claimed_at)
    except Stale:
        node.send(Refused(reason="a later epoch has the meeting", stale=True))
    except NotConnected as error:
        node.send(Refused(reason=str(error)))
    else:
        node.send(joined)
        told = asyncio.create_task(_until_told(node, stop))
        told.add_done_callback(lambda _: meeting.leave("shutdown"))
        reason = await meeting.stay(joined)
        node.send(Ended(reason=reason))
        told.cancel()
    await node.flush(_WORD_S)


async def _until_told(node: Node, stop: asyncio.Event) -> None:
    """Returns when the node says so, is gone, or a signal came."""
    await _first(node, stop)
