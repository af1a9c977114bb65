"""The event streams that are open now: counted, capped, and ended together when the process stops."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from opentelemetry.metrics import Meter
from roomscribe_common.errors import ProblemError


class Hub:
    """At most `limit` streams."""

    def __init__(self, limit: int, meter: Meter) -> None:
        self._limit = limit
        self._open: set[asyncio.Timeout] = set()
        self._closing = False
        self._count = meter.create_up_down_counter("roomscribe_gateway_streams", description="Event streams open now")

    def check_room(self) -> None:
        """Raises `ProblemError` (503) if no further stream may be opened."""
        if self._closing or len(self._open) >= self._limit:
            detail = "The gateway is stopping." if self._closing else f"{self._limit} event streams are open already."
            raise ProblemError.of("too-many-streams", 503, "No room for an event stream", detail)

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncGenerator[None]:
        """Counts the stream within; its block ends early, without an error, when the process stops."""
        scope = asyncio.timeout(0 if self._closing else None)
        self._count.add(1)
        try:
            async with scope:
                self._open.add(scope)
                yield
        except TimeoutError:
            if not scope.expired():
                raise
        finally:
            self._open.discard(scope)
            self._count.add(-1)

    def close(self) -> None:
        """Ends every stream: its reader comes back with its last id, to this process's successor."""
        self._closing = True
        for scope in self._open:
            scope.reschedule(asyncio.get_running_loop().time())
