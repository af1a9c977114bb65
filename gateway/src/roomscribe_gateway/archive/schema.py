"""The archive's tables: the same on SQLite and PostgreSQL. Times are Unix milliseconds, documents JSON text.

JSON is kept as text, for it is only ever handed out whole, and PostgreSQL's own type refuses the escape of NUL.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table, Text

VERSION = 2
"""Raise it with any change below; an archive of another version is rebuilt from the streams."""

metadata = MetaData()

version = Table("archive_version", metadata, Column("version", Integer, primary_key=True))


def _per_meeting(name: str, *columns: Column[object]) -> Table:
    keys = (Column("tenant", Text, primary_key=True), Column("meeting_id", Text, primary_key=True))
    return Table(f"archive_{name}", metadata, *keys, *columns)


def _key(name: str) -> Column[object]:
    return Column(name, Text, primary_key=True)


def _ms(name: str) -> Column[object]:
    return Column(name, BigInteger)


def _text(name: str) -> Column[object]:
    return Column(name, Text)


def _number(name: str) -> Column[object]:
    return Column(name, BigInteger)


meetings = _per_meeting(
    "meetings",
    _text("room"),
    _text("spec"),
    _ms("join_at_ms"),
    _ms("requested_at_ms"),
    _ms("started_at_ms"),
    _ms("live_at_ms"),
    _ms("ended_at_ms"),
    _text("end_reason"),
    _ms("failed_at_ms"),
    _text("failure_reason"),
    _text("failure_detail"),
    _ms("completed_at_ms"),
    Column("complete", Boolean),
    _text("series_id"),
    _ms("late_ms"),
    _text("late_reason"),
)
"""`spec` is the `MeetingSpec` that was asked for. The state follows from which of the times are there."""
Index("archive_meetings_room", meetings.c.tenant, meetings.c.room)
Index("archive_meetings_series", meetings.c.tenant, meetings.c.series_id, meetings.c.join_at_ms)

series = Table(
    "archive_series",
    metadata,
    Column("tenant", Text, primary_key=True),
    _key("series_id"),
    _text("spec"),
    _ms("requested_at_ms"),
    _ms("ended_at_ms"),
    _text("end_reason"),
)
"""`spec` is the `SeriesSpec` that was asked for."""

roster = _per_meeting(
    "roster",
    _key("participant_sid"),
    _text("identity"),
    _text("name"),
    _ms("name_at_ms"),
    _text("kind"),
    _ms("joined_at_ms"),
    _ms("left_at_ms"),
)
segments = _per_meeting("segments", _key("segment_id"), _number("revision"), _ms("start_ms"), _text("data"))
gaps = _per_meeting("gaps", _key("gap_id"), _ms("start_ms"), _text("data"))
minutes = _per_meeting("minutes", _ms("generated_at_ms"), _text("data"))
usage = _per_meeting("usage", _ms("told_at_ms"), _text("data"))

CONTENT: tuple[Table, ...] = (meetings, series, roster, segments, gaps, minutes, usage)
"""Every table that is filled from the streams."""
