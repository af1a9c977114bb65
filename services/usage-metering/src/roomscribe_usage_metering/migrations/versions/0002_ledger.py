"""Evidence in hash chains, entries, periods, invoices and the outbox."""

import sqlalchemy as sa
from alembic import op

from roomscribe_usage_metering.domain.chain import chain_of, link

revision = "0002"
down_revision = "0001"

_SEQUENCE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_ROWS = 1_000
_APPEND_ONLY = ("ledger_entry", "price_version", "period_close", "invoice")


def upgrade() -> None:
    """Makes the new tables, and links what evidence there is in the order it was stored in."""
    _evidence()
    for column in (sa.Column("booked_version", sa.Integer), sa.Column("booked_through", sa.String(7))):
        op.add_column("usage_meeting", column)
    # Every meeting is looked at again: its use is to be booked.
    op.execute("UPDATE usage_meeting SET due_ms = 0 WHERE ended_ms IS NOT NULL")
    _entries()
    _periods()
    _outbox()
    for table in _APPEND_ONLY:
        _append_only(table)


def _evidence() -> None:
    op.create_table(
        "usage_chain",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("chain", sa.String(7), primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    added = (("seq", sa.BigInteger()), ("chain", sa.String(7)), ("sequence", sa.BigInteger()), ("hash", sa.String(64)))
    for name, kind in added:
        op.add_column("usage_evidence", sa.Column(name, kind))
    _link_all(op.get_bind())
    with op.batch_alter_table("usage_evidence") as batch:
        for name, kind in added:
            batch.alter_column(name, existing_type=kind, nullable=False)
    op.create_index("usage_evidence_by_seq", "usage_evidence", ["seq"], unique=True)


def _link_all(connection: sa.Connection) -> None:
    evidence = sa.Table("usage_evidence", sa.MetaData(), autoload_with=connection)
    heads = sa.Table("usage_chain", sa.MetaData(), autoload_with=connection)
    c, key = evidence.c, ("tenant", "source", "id")
    keys = sa.select(c.stored_ms, c.tenant, c.source, c.id, c.meeting_id, c.room_sid).order_by(
        c.stored_ms, c.tenant, c.source, c.id
    )
    last: dict[tuple[str, str], tuple[int, str]] = {}
    change = sa.update(evidence).where(*(c[name] == sa.bindparam(f"k_{name}") for name in key))
    for seq, row in enumerate(connection.execute(keys).all(), 1):
        facts = sa.select(c.fact).where(c.tenant == row.tenant, c.source == row.source, c.id == row.id)
        fact = connection.execute(facts).scalar_one()
        chain = chain_of(row.stored_ms)
        sequence, before = last.get((row.tenant, chain), (0, ""))
        filed = row.meeting_id, row.room_sid
        hash_ = link(before, (row.tenant, row.source, row.id), filed, fact, row.stored_ms)
        last[row.tenant, chain] = (sequence + 1, hash_)
        values = {"seq": seq, "chain": chain, "sequence": sequence + 1, "hash": hash_}
        connection.execute(change, {"k_tenant": row.tenant, "k_source": row.source, "k_id": row.id, **values})
    for (tenant, chain), (sequence, hash_) in last.items():
        connection.execute(sa.insert(heads).values(tenant=tenant, chain=chain, sequence=sequence, hash=hash_))


def _entries() -> None:
    op.create_table(
        "ledger_entry",
        sa.Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("meeting_id", sa.String(64), nullable=False),
        sa.Column("line_id", sa.Text, nullable=False),
        sa.Column("meter", sa.String(40), nullable=False),
        sa.Column("of_period", sa.String(7), nullable=False),
        sa.Column("price", sa.String(110), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("period", sa.String(7), nullable=False),
        sa.Column("steps", sa.BigInteger, nullable=False),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("quality", sa.String(10), nullable=False),
        sa.Column("basis", sa.String(40), nullable=False),
        sa.Column("booked_ms", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ledger_entry_by_key", "ledger_entry", ["key"], unique=True)
    op.create_index("ledger_entry_by_meeting", "ledger_entry", ["tenant", "meeting_id"])
    op.create_index("ledger_entry_by_period", "ledger_entry", ["tenant", "period"])
    op.create_index("ledger_entry_by_use", "ledger_entry", ["tenant", "of_period"])
    op.create_table(
        "price_version",
        sa.Column("source", sa.String(110), primary_key=True),
        sa.Column("book", sa.Text, nullable=False),
    )


def _periods() -> None:
    op.create_table(
        "tariff",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
    )
    op.create_table(
        "period_close",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("period", sa.String(7), primary_key=True),
        sa.Column("start_ms", sa.BigInteger, nullable=False),
        sa.Column("end_ms", sa.BigInteger, nullable=False),
        sa.Column("terms", sa.Text, nullable=False),
        sa.Column("watermark", sa.BigInteger, nullable=False),
        sa.Column("entries", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("closed_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "invoice",
        sa.Column("number", sa.String(100), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("period", sa.String(7), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("corrects", sa.String(100)),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("issued_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("invoice_by_period", "invoice", ["tenant", "period"])
    op.create_index("invoice_by_corrected", "invoice", ["corrects"])


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(60), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(400), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("stored_ms", sa.BigInteger, nullable=False),
        sa.Column("sent_ms", sa.BigInteger),
        sa.Column("refused", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("outbox_by_key", "outbox", ["key"], unique=True)
    op.create_index("outbox_by_state", "outbox", ["sent_ms", "seq"])
    op.create_table(
        "export_cursor",
        sa.Column("sink", sa.String(100), primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("until_seq", sa.BigInteger),
        sa.Column("done", sa.Text),
        sa.Column("holder", sa.String(64)),
        sa.Column("held_until_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "reconciliation",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(100), primary_key=True),
        sa.Column("pair", sa.String(20), primary_key=True),
        sa.Column("period", sa.String(7), primary_key=True),
        sa.Column("left_units", sa.BigInteger, nullable=False),
        sa.Column("right_units", sa.BigInteger, nullable=False),
        sa.Column("counter", sa.BigInteger),
    )
    op.create_index("reconciliation_by_period", "reconciliation", ["tenant", "period"])


def _append_only(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append only'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{table} is append only'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()"
    )
