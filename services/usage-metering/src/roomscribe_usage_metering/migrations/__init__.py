"""How the tables came to be what they are: one revision after the other, on SQLite and PostgreSQL."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, inspect

from roomscribe_usage_metering.adapters.schema import write_in_turn

_BEFORE_ALEMBIC = "0001"


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Brings the database to a revision, in the connection's transaction; several processes may do so at once.

    Tables that were made before there were revisions are taken for the first one.
    """
    write_in_turn(connection)
    config = Config()
    config.set_main_option("script_location", "roomscribe_usage_metering:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    tables = inspect(connection).get_table_names()
    if "usage_evidence" in tables and "alembic_version" not in tables:
        command.stamp(config, _BEFORE_ALEMBIC)
    command.upgrade(config, revision)
