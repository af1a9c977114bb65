"""Decides when a room has been without people for long enough."""

import asyncio
from collections.abc import Callable


class Presence:
    """Watches the number of humans; call `changed` whenever somebody came or went."""

    def __init__(self, humans: Callable[[], int]) -> None:
        self._humans = humans
        self._seen = humans() > 0
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """Somebody came or went."""
        self._seen = self._seen or self._humans() > 0
        self._changed.set()

    def anew(self) -> None:
        """The room is another: whoever is not here yet was not here before."""
        self._seen = self._humans() > 0
        self._changed.set()

    async def until_empty(self, gone_s: float, nobody_yet_s: float) -> None:
        """Returns once the last human has been gone for `gone_s`, or there was nobody at all for `nobody_yet_s`."""
        while True:
            while self._humans():
                await self._next_change()
            try:
                async with asyncio.timeout(gone_s if self._seen else max(gone_s, nobody_yet_s)):
                    while not self._humans():
                        await self._next_change()
            except TimeoutError:
                return

    async def _next_change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
