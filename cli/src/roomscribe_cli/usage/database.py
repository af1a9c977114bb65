"""The ledger's database, for commands that read it themselves instead of asking the gateway."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from roomscribe_usage_metering.accounts import load_accounts
from roomscribe_usage_metering.adapters.database import open_engine
from roomscribe_usage_metering.adapters.price_books import load_books
from roomscribe_usage_metering.adapters.tariffs import Tariffs
from roomscribe_usage_metering.settings import Settings
from sqlalchemy.ext.asyncio import AsyncEngine

from roomscribe_cli.local.plan import named_database
from roomscribe_cli.local.record import default_state
from roomscribe_cli.pricing.output import fail

_STATEMENT_S = 600.0
_SQLITE = "sqlite+aiosqlite:///"
_POSTGRES = "postgresql+asyncpg://"


def url_of(command: str, database: str | None, state: Path | None) -> str:
    """The database that is named, by option or environment, else the stack's own; ends with status 2 for none."""
    url = database or named_database(os.environ) or f"{_SQLITE}{(state or default_state()) / 'usage.db'}"
    # SQLite would make the file.
    file = Path(url.removeprefix(_SQLITE))
    if url.startswith(_SQLITE) and not file.is_file():
        fail(command, f"there is no {file}: name the stack's folder with --state, or a database with --database")
    if not url.startswith((_SQLITE, _POSTGRES)):
        fail(command, f"the database must be {_SQLITE}… or {_POSTGRES}…")
    return url


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[tuple[AsyncEngine, Tariffs]]:
    """The database and the tariffs of its tenants. Raises `BadAccounts` or `BadPriceBook`."""
    settings = Settings(database_url=url)
    books = load_books(settings.usage_price_books)
    tariffs = Tariffs(load_accounts(settings.usage_accounts, books, settings.usage_price_book), books)
    engine = open_engine(url, _STATEMENT_S)
    try:
        yield engine, tariffs
    finally:
        await engine.dispose()
