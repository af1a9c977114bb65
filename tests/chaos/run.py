"""Runs one trial on a stack, from and to a state in which everything is ready."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from roomscribe_cli.local.plan import readyz
from roomscribe_cli.testing import Up

from tests.chaos.trial import World, world

AnswerT = TypeVar("AnswerT")
REPLICAS = "dispatcher=2,media-ingest=2,stt-worker=2,attribution=2"
"""Of the stack that trials share."""
_READY_WITHIN_S = 60.0
_ASK_AGAIN_S = 0.2


def trial_on(up: Up, trial: Callable[[World], Coroutine[Any, Any, AnswerT]]) -> AnswerT:
    """What the trial returns."""

    async def run() -> AnswerT:
        await all_ready(up)
        async with world(up) as here:
            return await trial(here)

    return asyncio.run(run())


async def all_ready(up: Up) -> None:
    """Returns once every service says that it is ready; fails naming those which do not."""
    deadline = time.monotonic() + _READY_WITHIN_S
    while missing := await not_ready(up):
        assert time.monotonic() < deadline, f"not ready: {missing}"
        await asyncio.sleep(_ASK_AGAIN_S)


async def not_ready(up: Up) -> dict[str, str]:
    """Which services are not ready, and what each says it lacks."""
    record = up.record()
    asks = {name: readyz(record.ports[f"{name}-health"]) for name in record.services}
    answers = await asyncio.gather(*(asyncio.to_thread(ask) for ask in asks.values()))
    return {name: answer for name, answer in zip(asks, answers, strict=True) if answer is not None}
