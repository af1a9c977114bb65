"""Who is asking: API key → tenant."""

import hashlib
from collections.abc import Mapping
from http import HTTPStatus

from roomscribe_common.errors import ProblemError


class Keys:
    """The API keys. Only their digests are kept and compared, so the comparison tells nothing by its time."""

    def __init__(self, tenants: Mapping[str, str]) -> None:
        self._tenants = {_digest(key): tenant for key, tenant in tenants.items()}

    def tenant(self, authorization: str | None) -> str:
        """The tenant of an `Authorization` header. Raises `ProblemError` (401) that says how to send a key."""
        if authorization is None:
            raise _refused("API key missing", "Send your API key in the header `Authorization: Bearer <key>`.")
        scheme, _, key = authorization.strip().partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            detail = "The header must read `Authorization: Bearer <key>`."
            raise _refused("API key not understood", detail)
        tenant = self._tenants.get(_digest(key.strip()))
        if tenant is None:
            raise _refused("API key unknown", "This key is none of this gateway's (ROOMSCRIBE_GATEWAY_API_KEYS).")
        return tenant


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _refused(title: str, detail: str) -> ProblemError:
    return ProblemError.of("unauthorized", HTTPStatus.UNAUTHORIZED, title, detail)
