"""A child process that is spoken with in JSON lines; for what uses the LiveKit SDK, which may abort at exit."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from pydantic import BaseModel

from benchmarks.report import CouldNotRun

AnswerT = TypeVar("AnswerT", bound=BaseModel)
_END_S = 10.0


class Talk(Generic[AnswerT]):
    """One child: `say` writes to it, `until` reads what it says."""

    def __init__(self, process: asyncio.subprocess.Process, answers: type[AnswerT]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout
        self._answers = answers
        self.pid = process.pid
        self.said: list[AnswerT] = []
        """Everything it has said that was waited for or passed over."""

    async def say(self, message: BaseModel, *, last: bool = False) -> None:
        """Sends one line; after the `last` the child reads the end of its input."""
        self._stdin.write(message.model_dump_json().encode() + b"\n")
        await asyncio.wait_for(self._stdin.drain(), _END_S)
        if last:
            self.close_input()

    def close_input(self) -> None:
        """The child reads the end of its input."""
        self._stdin.write_eof()

    async def until(self, wanted: Callable[[AnswerT], bool], timeout_s: float) -> AnswerT:
        """The next thing said that is wanted. Raises `CouldNotRun` if the child ends, `TimeoutError` if none comes."""
        async with asyncio.timeout(timeout_s):
            while line := await self._stdout.readline():
                answer = self._answers.model_validate_json(line)
                self.said.append(answer)
                if wanted(answer):
                    return answer
        raise CouldNotRun("a process the benchmark needs ended too early; its error is above")


@asynccontextmanager
async def talk(module: str, answers: type[AnswerT]) -> AsyncGenerator[Talk[AnswerT]]:
    """Runs `python -m module`; it is killed when the block is left."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Talk(process, answers)
    finally:
        if process.returncode is None:
            process.kill()
        await asyncio.wait_for(process.wait(), _END_S)
