"""Places for utterances that are followed: as many as there are, and to whom the next one goes."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator

from roomscribe_stt_worker.domain.fairness import Owner


class Slots:
    """While there are too few, a place that comes free goes to the tenant that has the fewest, then to its meeting that
    has, then to whoever waits longest: nobody has more than a fair part of them while others wait."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.busy = 0
        self._tenants: Counter[str] = Counter()
        self._meetings: Counter[Owner] = Counter()
        self._line: dict[asyncio.Future[None], Owner] = {}
        self.left = asyncio.Event()
        """Somebody left since this was cleared."""

    @property
    def free(self) -> bool:
        """There is a place for one more."""
        return self.busy < self.count

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._line)

    @contextlib.asynccontextmanager
    async def taken(self, owner: Owner) -> AsyncGenerator[None]:
        """Waits for a place and keeps it for the block. Cancelled, if the line is sent away before it is its turn."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line[turn] = owner
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            self._line.pop(turn, None)
            if not turn.cancelled():
                self._leave(owner)
            raise
        try:
            yield
        finally:
            self._leave(owner)

    def send_away(self) -> None:
        """Whoever stands in line gets no place."""
        for turn in self._line:
            turn.cancel()

    def _admit(self) -> None:
        while self.free and (line := [turn for turn in self._line if not turn.cancelled()]):
            turn = min(line, key=lambda one: self._held(self._line[one]))  # the first of equals: the oldest
            owner = self._line.pop(turn)
            self.busy += 1
            self._tenants[owner.tenant] += 1
            self._meetings[owner] += 1
            turn.set_result(None)

    def _held(self, owner: Owner) -> tuple[int, int]:
        return self._tenants[owner.tenant], self._meetings[owner]

    def _leave(self, owner: Owner) -> None:
        self.busy -= 1
        self._tenants[owner.tenant] -= 1
        self._meetings[owner] -= 1
        self._tenants, self._meetings = +self._tenants, +self._meetings
        self.left.set()
        self._admit()
