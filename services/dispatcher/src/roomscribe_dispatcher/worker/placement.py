"""Brings the agent into the room somebody's dispatch names, unless it is there already."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

from roomscribe_common.boundary import one_of_many
from roomscribe_common.contracts.commands import MeetingView, StartMeeting
from roomscribe_common.errors import ProblemError, Retryable

from roomscribe_dispatcher.worker.marks import Marks

log = logging.getLogger(__name__)

PATIENCE_S: Final = 10.0
"""How long one placement tries. What fails for longer is looked at again with the rooms (`rounds`)."""
_TRY_S: Final = 8.0
_AGAIN_S: Final = 1.0

Outcome = Literal["placed", "attached", "refused", "full", "failed"]
"""`attached`: the room's meeting, somebody else's, goes on. `full` and `failed` may succeed later."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What came of it; `detail` says why where there is no agent."""

    outcome: Outcome
    detail: str = ""


class Placement:
    """The one way from LiveKit's dispatches to `Dispatcher.start`."""

    def __init__(self, start: Callable[[StartMeeting], Awaitable[MeetingView]], marks: Marks) -> None:
        self._start = start
        self._marks = marks

    async def place(self, origin: str, command: StartMeeting) -> Placed:
        """`origin` is the dispatch, or the room's session: what is placed once. Raises nothing but cancellation."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            placed, pause_s = Placed("failed", "an unexpected error, see the dispatcher's log"), _AGAIN_S
            with one_of_many(log, "dispatch not placed"):
                placed, pause_s = await self._try(command)
            if placed.outcome != "failed":
                break
            if time.monotonic() + pause_s >= deadline:
                return placed
            await asyncio.sleep(pause_s)
        if placed.outcome != "full":
            await self.decide(origin)
        return placed

    async def _try(self, command: StartMeeting) -> tuple[Placed, float]:
        """What came of it, and how long to wait before the next try if that may come to more."""
        try:
            async with asyncio.timeout(_TRY_S):
                return _placed(command, await self._start(command)), 0.0
        except ProblemError as error:
            return _refused(error), _AGAIN_S
        except Retryable as error:
            return Placed("failed", error.reason), error.delay_s
        except TimeoutError:
            return Placed("failed", f"not started in {_TRY_S:g} s"), 0.0

    async def decide(self, origin: str) -> None:
        """Nothing is to come of it any more."""
        with contextlib.suppress(Retryable):
            await self._marks.decide(origin)


def _placed(command: StartMeeting, view: MeetingView) -> Placed:
    if view.state in ("ended", "failed"):
        return Placed("refused", f"meeting {view.spec.meeting_id} is over")
    if view.spec.meeting_id == command.spec.meeting_id and view.spec.room != command.spec.room:
        return Placed("refused", f"meeting {view.spec.meeting_id} is in another room")
    return Placed("placed" if view.spec.meeting_id == command.spec.meeting_id else "attached")


def _refused(error: ProblemError) -> Placed:
    problem = error.problem
    if problem.status == 429:
        return Placed("full", problem.detail)
    passing = problem.status >= 500 or problem.type.endswith(":meeting-ending")
    return Placed("failed" if passing else "refused", problem.detail)
