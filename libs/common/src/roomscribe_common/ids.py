"""Ids: NATS-safe tokens, sortable by the moment they were made."""

import re
import secrets
import time
from typing import Annotated

from pydantic import StringConstraints

TOKEN_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
_TOKEN = re.compile(TOKEN_PATTERN)

Token = Annotated[str, StringConstraints(pattern=TOKEN_PATTERN)]
"""One token of a NATS subject: letters, digits, `_` and `-`, 1 to 64 of them."""


def new_id(prefix: str) -> str:
    """A fresh id such as `mtg_0190f3c2a7b4e1d2c3b4a5f6`: 44 bits of milliseconds, then 52 random bits."""
    return f"{prefix}_{time.time_ns() // 1_000_000:011x}{secrets.token_hex(7)[:13]}"


def is_token(value: str) -> bool:
    """Whether `value` may stand as one token of a subject."""
    return _TOKEN.fullmatch(value) is not None
