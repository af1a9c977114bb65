"""Connections and agent sessions from lines of evidence: the same for any order and any repetition of them."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO, Literal

from pydantic import BaseModel

from roomscribe_usage_metering.domain.connections import BILLED_KINDS, Connection, Sfu
from roomscribe_usage_metering.domain.evidence import AgentSeen
from roomscribe_usage_metering.domain.sessions import Agents, Session
from roomscribe_usage_metering.replay.evidence_line import BadLine, fact_of

LONGEST_BYTES = 8_000_000
"""Of a line: a poll of a full room has kilobytes."""


class ConnectionRow(BaseModel):
    """A connection, and the minutes billed for it."""

    room_sid: str
    participant_sid: str
    identity: str
    kind: str
    start_ms: int
    end_ms: int
    end_basis: str
    minutes: int


class SessionRow(BaseModel):
    """An agent's session, and the minutes billed for it."""

    job_id: str
    participant_sid: str
    start_ms: int
    end_ms: int
    minutes: int


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that is no evidence."""

    number: int
    why: str


class Replay:
    """Takes evidence in line by line. It grows with connections and sessions, not with lines."""

    def __init__(self, kinds: frozenset[str] = BILLED_KINDS) -> None:
        self._kinds = kinds
        self._sfu = Sfu()
        self._agents = Agents()

    def add(self, line: bytes) -> None:
        """Takes in a line. Raises `BadLine`, and then nothing of it counts."""
        fact = fact_of(line)
        if isinstance(fact, AgentSeen):
            self._agents.add(fact)
        elif fact is not None:
            self._sfu.add(fact)

    def read(self, file: BinaryIO, longest_bytes: int = LONGEST_BYTES) -> Iterator[Bad]:
        """Takes in a file, and yields the lines that are bad; empty ones are passed over."""
        for number, line in _lines_of(file, longest_bytes):
            try:
                if line is None:
                    raise BadLine(f"longer than {longest_bytes} bytes")
                if line:
                    self.add(line)
            except BadLine as error:
                yield Bad(number, str(error))

    def connections(self) -> list[Connection]:
        """Those that are billed, by room and time."""
        found = [one for one in self._sfu.connections() if one.kind in self._kinds]
        return sorted(found, key=lambda one: (one.room_sid, one.start_ms, one.participant_sid))

    def sessions(self) -> list[Session]:
        """Those of agents that were connected, by job and time."""
        found = self._agents.sessions(self._sfu)
        return sorted(found, key=lambda one: (one.job_id, one.start_ms, one.participant_sid))


def _lines_of(file: BinaryIO, longest_bytes: int) -> Iterator[tuple[int, bytes | None]]:
    """Lines and their numbers, from 1; None for one that is too long, of which no more than that is ever held."""
    number = 0
    while line := file.readline(longest_bytes + 1):
        number += 1
        if len(line) > longest_bytes and not line.endswith(b"\n"):
            while (rest := file.readline(longest_bytes)) and not rest.endswith(b"\n"):
                pass
            yield number, None
            continue
        yield number, (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).strip()


def _connection_row(one: Connection) -> ConnectionRow:
    """The connection as it is told."""
    return ConnectionRow(
        room_sid=one.room_sid,
        participant_sid=one.participant_sid,
        identity=one.identity,
        kind=one.kind,
        start_ms=one.start_ms,
        end_ms=one.end_ms,
        end_basis=one.basis,
        minutes=one.to_line().steps,
    )


def _session_row(one: Session) -> SessionRow:
    """The session as it is told."""
    return SessionRow(
        job_id=one.job_id,
        participant_sid=one.participant_sid,
        start_ms=one.start_ms,
        end_ms=one.end_ms,
        minutes=one.to_line().steps,
    )


def json_of(connections: Iterable[Connection], sessions: Iterable[Session]) -> Iterator[str]:
    """The ledger as one JSON object, a row a line. Its digest is the SHA-256 of the rows, each with a line feed."""
    hashed = hashlib.sha256()

    def rows(of: Literal["connections", "agent_sessions"], every: Iterable[BaseModel]) -> Iterator[str]:
        yield f'"{of}": ['
        for number, row in enumerate(every):
            text = row.model_dump_json()
            hashed.update(f"{text}\n".encode())
            yield f"{',' if number else ''}\n    {text}"
        yield "],\n  "

    yield "{\n  "
    yield from chain(
        rows("connections", map(_connection_row, connections)),
        rows("agent_sessions", map(_session_row, sessions)),
    )
    yield f'"digest": "{hashed.hexdigest()}"\n}}\n'
