"""The tables: one schema for SQLite and PostgreSQL, integers and text only."""

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, MetaData, String, Table, Text, text
from sqlalchemy.schema import CreateIndex, CreateTable

METADATA = MetaData()

EVIDENCE = Table(
    "usage_evidence",
    METADATA,
    # The producer's key, unique for ever: JetStream's own window ends, a duplicate may come after it.
    Column("tenant", String(64), primary_key=True),
    Column("source", String(200), primary_key=True),
    Column("id", String(200), primary_key=True),
    Column("meeting_id", String(64), nullable=False),  # "" for facts about a room
    Column("room_sid", String(64), nullable=False),  # "" where no room is named
    Column("fact", Text, nullable=False),
    Column("stored_ms", BigInteger, nullable=False),
    Index("usage_evidence_by_meeting", "tenant", "meeting_id"),
    Index("usage_evidence_by_room", "room_sid"),
)

MEETING = Table(
    "usage_meeting",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("meeting_id", String(64), primary_key=True),
    Column("room", Text, nullable=False),
    Column("started_ms", BigInteger),
    Column("ended_ms", BigInteger),
    Column("version", Integer, nullable=False),  # grows with every new fact that may change the ledger
    Column("due_ms", BigInteger),  # when to see whether the ledger can be closed
    Column("closed_version", Integer),
    Column("closed_digest", String(64)),
    Column("closed_usage", Text),  # the ledger as it was last published
    Index("usage_meeting_by_start", "tenant", "started_ms"),
    Index("usage_meeting_by_due", "due_ms"),
)

CLAIM = Table(
    "usage_claim",
    METADATA,
    Column("room_sid", String(64), primary_key=True),
    Column("tenant", String(64), primary_key=True),
    Column("meeting_id", String(64), primary_key=True),
    Column("participant_sid", String(64), primary_key=True),
    Column("joined_ms", BigInteger, nullable=False),
    Index("usage_claim_by_meeting", "tenant", "meeting_id"),
)

_LOCK_KEY = 7_362_104_995
"""Of the advisory lock by which replicas on PostgreSQL write in turn, as they do on SQLite."""


def write_in_turn(connection: Connection) -> None:
    """Waits until no other replica writes; ends with the transaction. SQLite does this by itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})


def create(connection: Connection) -> None:
    """Makes what is missing; several processes may do so at once."""
    write_in_turn(connection)
    for table in METADATA.sorted_tables:
        connection.execute(CreateTable(table, if_not_exists=True))
        for index in sorted(table.indexes, key=lambda i: str(i.name)):
            connection.execute(CreateIndex(index, if_not_exists=True))
