"""Brings a stack up, keeps it up, and takes it down in order."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from roomscribe_common.servers.run import log_tail

from roomscribe_cli.local.child import Child, Launch
from roomscribe_cli.local.record import StackError

_READY_WITHIN_S = 90.0
_MOST_CRASHES_AT_START = 3
_LOOK_EVERY_S = 0.1
_TELL_AFTER_S = 8.0


class Supervisor:
    """Runs waves of processes. A later wave starts when its gate opens and stops before the earlier ones."""

    def __init__(self, say: Callable[[str], None], changed: Callable[[dict[str, int]], None]) -> None:
        self._say = say
        self._report = changed
        self._children: dict[str, Child] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def processes(self) -> dict[str, int]:
        """The present process ids by name."""
        return {name: child.pid for name, child in self._children.items() if child.pid is not None}

    @property
    def names(self) -> list[str]:
        """All that it keeps running."""
        return list(self._children)

    def start(self, launches: Sequence[Launch]) -> None:
        """Start these processes; `wait_ready` tells when they can be used."""
        for launch in launches:
            child = Child(launch, self._say, lambda: self._report(self.processes))
            self._children[launch.name] = child
            self._tasks.add(asyncio.create_task(child.keep(), name=launch.name))

    async def wait_ready(self, launches: Sequence[Launch]) -> None:
        """Return once all of these are ready; raises StackError that names the one which is not, and why."""
        try:
            async with asyncio.TaskGroup() as waiting:
                for launch in launches:
                    waiting.create_task(self._wait_one(launch))
        except* StackError as group:
            first = group.exceptions[0]
            raise StackError(str(first)) from first

    async def _wait_one(self, launch: Launch) -> None:
        child = self._children[launch.name]
        waited = 0.0
        try:
            async with asyncio.timeout(_READY_WITHIN_S):
                while (missing := await child.missing()) is not None:
                    waited += _LOOK_EVERY_S
                    if waited > _TELL_AFTER_S:
                        self._say(f"waiting for {launch.name}: {missing}")
                        waited = 0.0
                    if child.crashes >= _MOST_CRASHES_AT_START:
                        raise StackError(
                            f"{launch.name} ended {child.crashes} times and was never ready: see {launch.log}"
                        )
                    await asyncio.sleep(_LOOK_EVERY_S)
        except TimeoutError:
            missing = await child.missing()
            raise StackError(
                f"{launch.name} is not ready after {_READY_WITHIN_S:.0f} s ({missing}); "
                f"the end of {launch.log}:\n{log_tail(launch.log)}"
            ) from None

    def restart(self, name: str) -> None:
        """Ask a process to end; its successor starts at once."""
        self._children[name].interrupt()

    async def watch(self) -> None:
        """Return only by an error: a supervising task that ends is a defect, and must not go unseen."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def stop(self, waves: Sequence[Sequence[str]]) -> None:
        """Stop wave after wave, each at once; then see that nothing is left."""
        for wave in waves:
            stops: list[Awaitable[None]] = [child.stop() for name in wave if (child := self._children.get(name))]
            await asyncio.gather(*stops)
        self.kill()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)

    def kill(self) -> None:
        """End everything at once."""
        for child in self._children.values():
            child.kill()
