"""The tables: one schema for SQLite and PostgreSQL, integers and text only. `migrations/` makes them."""

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, MetaData, String, Table, Text, text

METADATA = MetaData()
_SEQUENCE = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only what is called INTEGER

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
    Column("seq", BigInteger, nullable=False),  # the order of storing, over all tenants: a watermark is one of these
    Column("chain", String(7), nullable=False),  # the month it was stored in, UTC; with the tenant it names a chain
    Column("sequence", BigInteger, nullable=False),  # its place in the chain, from 1
    Column("hash", String(64), nullable=False),
    Index("usage_evidence_by_meeting", "tenant", "meeting_id"),
    Index("usage_evidence_by_room", "room_sid"),
    Index("usage_evidence_by_seq", "seq", unique=True),
)

CHAIN = Table(
    "usage_chain",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("chain", String(7), primary_key=True),
    Column("sequence", BigInteger, nullable=False),  # of the last link
    Column("hash", String(64), nullable=False),  # of the last link
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
    Column("closed_usage", Text),  # the ledger as it was last told
    Column("booked_version", Integer),  # the version whose use is in the entries
    Column("booked_through", String(7)),  # the last period that was booked; later ones still run
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

# Append only, by trigger: see `domain/entry.py`.
ENTRY = Table(
    "ledger_entry",
    METADATA,
    Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("key", String(64), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("meeting_id", String(64), nullable=False),
    Column("line_id", Text, nullable=False),
    Column("meter", String(40), nullable=False),
    Column("of_period", String(7), nullable=False),
    Column("price", String(110), nullable=False),  # book@version
    Column("version", Integer, nullable=False),
    Column("period", String(7), nullable=False),
    Column("steps", BigInteger, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("identity", Text, nullable=False),
    Column("quality", String(10), nullable=False),
    Column("basis", String(40), nullable=False),
    Column("booked_ms", BigInteger, nullable=False),
    Column("start_ms", BigInteger),  # when what the slot holds began; NULL if it was booked before revision 3
    Index("ledger_entry_by_key", "key", unique=True),
    Index("ledger_entry_by_meeting", "tenant", "meeting_id"),
    Index("ledger_entry_by_period", "tenant", "period"),
    Index("ledger_entry_by_use", "tenant", "of_period"),
    sqlite_autoincrement=True,
)

# Append only, by trigger.
PRICE = Table(
    "price_version",
    METADATA,
    Column("source", String(110), primary_key=True),  # book@version
    Column("book", Text, nullable=False),  # the book with this one version, in JSON, as entries were priced by it
)

# What each tenant's open periods were booked on: when it changes, they are booked anew.
TARIFF = Table(
    "tariff",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
)

# Append only, by trigger.
PERIOD = Table(
    "period_close",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("period", String(7), primary_key=True),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("terms", Text, nullable=False),  # time zone, prices and charges as they held, in JSON
    Column("watermark", BigInteger, nullable=False),  # the last evidence that could count, by seq
    Column("entries", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("closed_ms", BigInteger, nullable=False),
)

# How many entries and closed periods each tenant has: what is taken out at the end leaves no other trace.
LEDGER = Table(
    "ledger_size",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("entries", BigInteger, nullable=False),
    Column("closes", BigInteger, nullable=False),
)

# Append only, by trigger.
INVOICE = Table(
    "invoice",
    METADATA,
    Column("number", String(100), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("period", String(7), nullable=False),  # in which it was issued
    Column("kind", String(20), nullable=False),
    Column("corrects", String(100)),
    Column("document", Text, nullable=False),
    Column("issued_ms", BigInteger, nullable=False),
    Index("invoice_by_period", "tenant", "period"),
    Index("invoice_by_corrected", "corrects"),
)

OUTBOX = Table(
    "outbox",
    METADATA,
    Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("kind", String(60), nullable=False),  # the event's type
    Column("key", String(200), nullable=False),  # the event's id: it is told once
    Column("tenant", String(64), nullable=False),
    Column("subject", String(400), nullable=False),
    Column("payload", Text, nullable=False),
    Column("stored_ms", BigInteger, nullable=False),
    Column("sent_ms", BigInteger),
    Column("refused", Text),  # why the stream will never take it
    Index("outbox_by_key", "key", unique=True),
    Index("outbox_by_state", "sent_ms", "seq"),
    sqlite_autoincrement=True,
)

CURSOR = Table(
    "export_cursor",
    METADATA,
    Column("sink", String(100), primary_key=True),
    Column("seq", BigInteger, nullable=False),  # the receiver has everything up to it
    Column("until_seq", BigInteger),  # what is being sent reaches to it: a resend is of the same
    Column("done", Text),  # the last of its requests that was answered
    Column("holder", String(64)),  # the replica that sends
    Column("held_until_ms", BigInteger, nullable=False),
)

# How two sources of evidence saw the same use: of one meeting, or of one node ("_", its address) in a period.
RECONCILIATION = Table(
    "reconciliation",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("subject", String(100), primary_key=True),
    Column("pair", String(20), primary_key=True),
    Column("period", String(7), primary_key=True),
    Column("left_units", BigInteger, nullable=False),
    Column("right_units", BigInteger, nullable=False),
    Column("counter", BigInteger),  # of a node: where its counter stood
    Index("reconciliation_by_period", "tenant", "period"),
)

APPEND_ONLY = (ENTRY, PRICE, PERIOD, INVOICE)
"""Tables whose rows no statement may change."""

_LOCK_KEY = 7_362_104_995
"""Of the advisory lock by which replicas on PostgreSQL write in turn, as they do on SQLite."""


def write_in_turn(connection: Connection) -> None:
    """Waits until no other replica writes; ends with the transaction, of which it is the first statement.

    What is read after it is what will still be true at the commit.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
