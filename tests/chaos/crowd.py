"""The people of one trial meeting, in their own process, and what happens to them as it happens."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from roomscribe_cli.demo.people import Cast, Happened

_GATHER_S = 90.0
_END_S = 60.0


class Crowd:
    """Talks along the script; `began` is the Unix time of its second 0."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        self._stdout = process.stdout
        self._process = process
        self.happened: list[Happened] = []

    async def gathered(self) -> float:
        """When all who are there from the start are: the Unix time at which the script begins."""
        async with asyncio.timeout(_GATHER_S):
            while line := await self._stdout.readline():
                self.happened.append(Happened.model_validate_json(line))
                if self.happened[-1].what == "began":
                    return self.happened[-1].at
        raise AssertionError("the people's process ended before all had joined; its error is above")

    async def gone(self, within_s: float) -> None:
        """Returns once everybody has left."""
        async with asyncio.timeout(within_s + _END_S):
            while line := await self._stdout.readline():
                self.happened.append(Happened.model_validate_json(line))
            assert await self._process.wait() == 0, "the people's process failed; its error is above"


@asynccontextmanager
async def crowd(cast: Cast) -> AsyncGenerator[Crowd]:
    """People on their way to the room; those still there are torn away when the block is left."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "roomscribe_cli.demo.people",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    assert process.stdin is not None
    try:
        process.stdin.write(cast.model_dump_json().encode())
        process.stdin.write_eof()
        yield Crowd(process)
    finally:
        if process.returncode is None:
            process.kill()
        await asyncio.wait_for(process.wait(), 10)
