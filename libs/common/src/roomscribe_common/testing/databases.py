"""A PostgreSQL database for one test."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import uuid4

# asyncpg ships no types; what leaves this module has them.
import asyncpg  # pyright: ignore[reportMissingTypeStubs]

_TIMEOUT_S = 20


@asynccontextmanager
async def fresh_database(server_url: str) -> AsyncGenerator[str]:
    """Create an empty database on the server, hand out its URL, and drop it with whoever is still connected."""
    name = f"test_{uuid4().hex[:12]}"
    await ask_database(server_url, f'CREATE DATABASE "{name}" TEMPLATE template0')
    try:
        yield f"{server_url.rsplit('/', 1)[0]}/{name}"
    finally:
        await ask_database(server_url, f'DROP DATABASE "{name}" WITH (FORCE)')


async def ask_database(url: str, statement: str) -> object:
    """Run one statement and return the first value of its first row, if it has one."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""), timeout=_TIMEOUT_S)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    try:
        return await connection.fetchval(statement, timeout=_TIMEOUT_S)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    finally:
        await connection.close(timeout=_TIMEOUT_S)  # pyright: ignore[reportUnknownMemberType]
