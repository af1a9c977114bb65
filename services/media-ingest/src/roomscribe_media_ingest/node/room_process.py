"""A room process as its node sees it: from warm, over joined, to ended."""

import asyncio
import contextlib
import logging
import multiprocessing
import os
import socket
import time
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext, ForkServerProcess

from roomscribe_common.contracts.agent import AgentRef, Counters, LeaveReason
from roomscribe_common.contracts.dispatch import DispatchJob

from roomscribe_media_ingest.node.entry import enter
from roomscribe_media_ingest.node.protocol import (
    FROM_ROOM,
    Attend,
    Channel,
    Ended,
    Joined,
    Leave,
    Ready,
    Refused,
    Tally,
    Word,
    open_channel,
)
from roomscribe_media_ingest.settings import IngestSettings

log = logging.getLogger(__name__)

_READY_TIMEOUT_S = 30.0
_REAP_TIMEOUT_S = 5.0


class RoomLost(Exception):
    """The process ended before it did what was asked."""


def fork_server() -> ForkServerContext:
    """Where room processes come from: a process that has everything imported, and forks."""
    # Threads and arenas a room process has no use for: the one for algebra, and one arena of memory for each thread.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["roomscribe_media_ingest.node.preload"])
    return context


class RoomProcess:
    """One child. `ended` completes when it is gone, however it went."""

    def __init__(self, process: ForkServerProcess, channel: Channel[Word]) -> None:
        self._process = process
        self._channel = channel
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = loop.create_future()
        self._answer: asyncio.Future[Joined | Refused] = loop.create_future()
        self.job: DispatchJob | None = None
        """What it was sent for."""
        self.agent: AgentRef | None = None
        """Its agent, once that is in the room."""
        self._joined_at = 0.0
        self.lived_ms = 0
        """From there to its end."""
        self.reason: LeaveReason | None = None
        """Why it left; None for one that did not say goodbye."""
        self.counters = Counters()
        self.ended: asyncio.Task[int | None] = asyncio.create_task(self._watch())

    @classmethod
    async def start(cls, context: ForkServerContext, settings: IngestSettings) -> "RoomProcess":
        """A warm one. Raises `RoomLost` if it is not ready in time."""
        ours, theirs = socket.socketpair()
        process = context.Process(target=enter, args=(theirs, settings), name="room", daemon=True)
        # The first start waits until the fork server has imported everything.
        await asyncio.to_thread(process.start)
        theirs.close()
        child = cls(process, await open_channel(ours, FROM_ROOM))
        try:
            async with asyncio.timeout(_READY_TIMEOUT_S):
                await asyncio.shield(child._ready)
        except TimeoutError as error:
            child.kill()
            raise RoomLost(f"not ready within {_READY_TIMEOUT_S:g} s") from error
        except asyncio.CancelledError:
            child.kill()
            raise
        return child

    @property
    def pid(self) -> int:
        """The operating system's id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can still be given a meeting."""
        return not self.ended.done()

    async def attend(self, job: DispatchJob, headers: Mapping[str, str], timeout_s: float) -> Joined | Refused:
        """Sends it into the room. Raises `RoomLost` if it dies or gives no answer, and then makes sure it is dead."""
        self.job = job
        self._channel.send(Attend(job=job, headers=dict(headers), claimed_at=time.monotonic()))
        try:
            async with asyncio.timeout(timeout_s):
                answer = await asyncio.shield(self._answer)
        except TimeoutError as error:
            self.kill()
            raise RoomLost(f"no answer from the room process within {timeout_s:g} s") from error
        except asyncio.CancelledError:
            self.leave()
            raise
        return answer

    def leave(self) -> None:
        """Asks it to bring what is open to the bus, leave and end."""
        self._channel.send(Leave())

    def kill(self) -> None:
        """Ends it now."""
        with contextlib.suppress(ValueError, ProcessLookupError):  # it may have ended by itself
            self._process.kill()

    async def _watch(self) -> int | None:
        while (message := await self._channel.receive()) is not None:
            self._took(message)
        self.lived_ms = round((time.monotonic() - self._joined_at) * 1000)
        self._channel.close()
        await asyncio.to_thread(self._process.join, _REAP_TIMEOUT_S)
        exit_code = self._process.exitcode
        for future in (self._ready, self._answer):
            if not future.done():
                future.set_exception(RoomLost(f"the room process ended with {exit_code}"))
                future.exception()  # seen; nobody may be waiting
        return exit_code

    def _took(self, message: Word) -> None:
        match message:
            case Ready():
                self._ready.set_result(None)
            case Joined() | Refused() if not self._answer.done():
                if isinstance(message, Joined):
                    self.agent, self._joined_at = message.agent, time.monotonic()
                self._answer.set_result(message)
            case Tally():
                self.counters = message.counters
            case Ended():
                self.reason = message.reason
            case _:
                log.error("unexpected word from a room process", extra={"kind": message.kind})
