"""What the node and a room process tell each other: JSON lines over a socket pair."""

import asyncio
import socket
from typing import Annotated, Final, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from roomscribe_common.contracts.agent import AgentRef, Counters, LeaveReason
from roomscribe_common.contracts.dispatch import DispatchJob

_MAX_LINE_BYTES: Final = 4 * 1024 * 1024
"""More than any message a stream accepts."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Attend(_Message):
    """Node to room: join this meeting. `headers` carry the job's trace, `claimed_at` is the node's monotonic clock."""

    kind: Literal["attend"] = "attend"
    job: DispatchJob
    headers: dict[str, str]
    claimed_at: float


class Leave(_Message):
    """Node to room: the node stops; bring what is open to the bus and leave."""

    kind: Literal["leave"] = "leave"


class Ready(_Message):
    """Room to node: connected to the bus, everything loaded."""

    kind: Literal["ready"] = "ready"


class Joined(_Message):
    """Room to node: the agent is in the room, `connect_ms` after the job was claimed."""

    kind: Literal["joined"] = "joined"
    connect_ms: int
    agent: AgentRef


class Refused(_Message):
    """Room to node: it is not. `stale`: a later epoch has the meeting, so nobody should try again."""

    kind: Literal["refused"] = "refused"
    reason: str
    stale: bool = False


class Tally(_Message):
    """Room to node: the counters so far."""

    kind: Literal["tally"] = "tally"
    counters: Counters


class Ended(_Message):
    """Room to node: left on its own account; however the process ends after this, no meeting is lost by it."""

    kind: Literal["ended"] = "ended"
    reason: LeaveReason


ToRoom = Annotated[Attend | Leave, Field(discriminator="kind")]
Word = Ready | Joined | Refused | Tally | Ended
"""What a room process says."""
FromRoom = Annotated[Word, Field(discriminator="kind")]
TO_ROOM: Final[TypeAdapter[Attend | Leave]] = TypeAdapter(ToRoom)
FROM_ROOM: Final[TypeAdapter[Word]] = TypeAdapter(FromRoom)

InT = TypeVar("InT")


class Channel(Generic[InT]):
    """One end of the socket pair. Its few small messages fit the socket's buffer, so sending never waits."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, incoming: TypeAdapter[InT]) -> None:
        self._reader = reader
        self._writer = writer
        self._incoming = incoming

    def send(self, message: BaseModel) -> None:
        """Sends; a message to a process that is gone is lost, as its end is seen by `receive`."""
        self._writer.write(message.model_dump_json().encode() + b"\n")

    async def receive(self) -> InT | None:
        """The next message; None once the other process is gone. Waits for as long as that lives."""
        try:
            line = await self._reader.readuntil(b"\n")
        except (asyncio.IncompleteReadError, OSError):
            return None
        return self._incoming.validate_json(line)

    async def flush(self, timeout_s: float) -> None:
        """Waits until what was sent has left this process, or the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._writer.drain()
        except (OSError, TimeoutError):
            return

    def close(self) -> None:
        """Ends the channel; the other side sees it."""
        self._writer.close()


async def open_channel(end: socket.socket, incoming: TypeAdapter[InT]) -> Channel[InT]:
    """The channel over this end, which it owns from now on."""
    end.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=end, limit=_MAX_LINE_BYTES)
    return Channel(reader, writer, incoming)
