"""The hash chain of evidence: what was stored cannot be changed or taken out without it showing."""

import hashlib

from roomscribe_usage_metering.domain.lines import instant


def chain_of(stored_ms: int) -> str:
    """The chain's name within its tenant: the month of storage, UTC."""
    return format(instant(stored_ms), "%Y-%m")


def link(before: str, key: tuple[str, str, str], filed: tuple[str, str], fact: str, stored_ms: int) -> str:
    """The hash of one fact under its `(tenant, source, id)`, filed under a meeting and a room SID; `before` is the hash
    of the one stored before it.

    SHA-256 over the eight as netstrings (`<length>:<text>`), so that no text can pass for two.
    """
    parts = (before, *key, *filed, fact, str(stored_ms))
    return hashlib.sha256("".join([f"{len(part)}:{part}" for part in parts]).encode()).hexdigest()
