"""Says when the disk of the state folder is full, and brings NATS back once it is not."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

_LOOK_EVERY_S: Final = 2.0
_FULL_BYTES: Final = 16_000_000
_LOW_BYTES: Final = 500_000_000

Fill = Literal["enough", "low", "full"]


def fill(folder: Path) -> Fill:
    """How full the disk of a folder is."""
    free = shutil.disk_usage(folder).free
    return "full" if free < _FULL_BYTES else "low" if free < _LOW_BYTES else "enough"


class DiskWatch:
    """Looks every two seconds. NATS writes no more to a stream that it could not write to once, so it is restarted."""

    def __init__(self, folder: Path, say: Callable[[str], None], restart_nats: Callable[[], None]) -> None:
        self._folder = folder
        self._say = say
        self._restart_nats = restart_nats
        self._fill: Fill = "enough"

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.look(await asyncio.to_thread(fill, self._folder))
            await asyncio.sleep(_LOOK_EVERY_S)

    def look(self, now: Fill) -> None:
        """Tell what changed since the last look, and act on it."""
        before, self._fill = self._fill, now
        if now == before:
            return
        if now == "full":
            self._say(
                f"ALARM: the disk of {self._folder} is full. Nothing can be stored: rooms keep what is said for a "
                "while, then it is lost. Free some space"
            )
        elif before == "full":
            self._say(f"there is space again on the disk of {self._folder}; restarting nats, which had stopped writing")
            self._restart_nats()
        if now == "low":
            self._say(f"the disk of {self._folder} is nearly full: under {_LOW_BYTES // 10**6} MB are free")
