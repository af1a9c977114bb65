"""Settings of the gateway."""

import re
from typing import Annotated, cast

from pydantic import BeforeValidator, Field
from roomscribe_common.ids import Token, is_token
from roomscribe_common.settings import CommonSettings, DatabaseSettings, LivekitSettings

_KEY = re.compile(r"[\x21-\x7e]{8,200}")


def _checked(given: object) -> dict[str, str]:
    """The keys; what is wrong with one is told by its place, for a key must not get into a log."""
    if not isinstance(given, dict) or not given:
        raise ValueError('must be a JSON object with at least one entry: {"<key>": "<tenant>"}')
    for number, (key, tenant) in enumerate(cast(dict[object, object], given).items(), start=1):
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise ValueError(f"key {number}: 8 to 200 printable ASCII characters without spaces")
        if not isinstance(tenant, str) or not is_token(tenant):
            raise ValueError(f"tenant of key {number}: 1 to 64 letters, digits, '_' or '-'")
    return cast(dict[str, str], given)


ApiKeys = Annotated[dict[str, str], BeforeValidator(_checked)]


class RebuildSettings(CommonSettings, DatabaseSettings):
    """What a rebuild of the archive needs."""


class GatewaySettings(RebuildSettings, LivekitSettings):
    """What the gateway needs. Without `livekit_url` it opens no meetings and makes no tokens; the rest works."""

    gateway_host: str = "127.0.0.1"
    gateway_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """0 takes any free port; the bound one is logged."""
    gateway_api_keys: Annotated[ApiKeys, Field(repr=False)]
    """JSON: API key → tenant. Several keys may name the same tenant, so that keys can be rotated."""
    gateway_tokens_early_s: Annotated[float, Field(ge=0, le=86_400)] = 900.0
    """How long before a scheduled meeting's time people are given tokens for its room."""
    gateway_command_timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    """How long to wait for another service's answer."""
    gateway_invoice_from: Annotated[str, Field(max_length=1000)] = ""
    """Who issues invoices, as it stands on the PDF: name, address, tax number, one a line."""
    gateway_invoice_to: dict[Token, Annotated[str, Field(max_length=1000)]] = {}
    """JSON: tenant → name and address as they stand on its PDF; the tenant's id by default."""
    gateway_max_streams: Annotated[int, Field(ge=1)] = 500
    """Event streams open at once in this process."""
    gateway_slow_reader_s: Annotated[float, Field(gt=0, le=600)] = 20.0
    """An event stream whose reader takes nothing for so long is closed; it may resume."""
    gateway_end_grace_s: Annotated[float, Field(ge=0, le=3600)] = 120.0
    """How long after its meeting's end an event stream waits for the minutes."""
