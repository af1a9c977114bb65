"""Evidence, the outline of meetings, and their claims on rooms."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "usage_evidence",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("source", sa.String(200), primary_key=True),
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("meeting_id", sa.String(64), nullable=False),
        sa.Column("room_sid", sa.String(64), nullable=False),
        sa.Column("fact", sa.Text, nullable=False),
        sa.Column("stored_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("usage_evidence_by_meeting", "usage_evidence", ["tenant", "meeting_id"])
    op.create_index("usage_evidence_by_room", "usage_evidence", ["room_sid"])
    op.create_table(
        "usage_meeting",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("meeting_id", sa.String(64), primary_key=True),
        sa.Column("room", sa.Text, nullable=False),
        sa.Column("started_ms", sa.BigInteger),
        sa.Column("ended_ms", sa.BigInteger),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("due_ms", sa.BigInteger),
        sa.Column("closed_version", sa.Integer),
        sa.Column("closed_digest", sa.String(64)),
        sa.Column("closed_usage", sa.Text),
    )
    op.create_index("usage_meeting_by_start", "usage_meeting", ["tenant", "started_ms"])
    op.create_index("usage_meeting_by_due", "usage_meeting", ["due_ms"])
    op.create_table(
        "usage_claim",
        sa.Column("room_sid", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("meeting_id", sa.String(64), primary_key=True),
        sa.Column("participant_sid", sa.String(64), primary_key=True),
        sa.Column("joined_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("usage_claim_by_meeting", "usage_claim", ["tenant", "meeting_id"])
