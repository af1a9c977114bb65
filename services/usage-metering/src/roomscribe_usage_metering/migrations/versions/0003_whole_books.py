"""When what an entry is about began, so that what ran at once can be told; and how much is in each tenant's books."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds both. An entry is never changed: those there are stay without their beginnings, which nobody kept."""
    op.add_column("ledger_entry", sa.Column("start_ms", sa.BigInteger))
    op.create_table(
        "ledger_size",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("entries", sa.BigInteger, nullable=False),
        sa.Column("closes", sa.BigInteger, nullable=False),
    )
    op.execute(
        "INSERT INTO ledger_size (tenant, entries, closes) "
        "SELECT tenant, sum(entry), sum(closed) FROM ("
        "SELECT tenant, 1 AS entry, 0 AS closed FROM ledger_entry "
        "UNION ALL SELECT tenant, 0, 1 FROM period_close) AS kept GROUP BY tenant"
    )
