"""Settings from `ROOMSCRIBE_…` environment variables; a bad one is named in one plain line, before anything starts."""

import os
import re
import socket
from typing import Annotated, Literal, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as _SourceError

ENV_PREFIX = "ROOMSCRIBE_"


class BadSettings(Exception):
    """Settings that cannot be used; `str()` is one line per variable, each naming it and never showing a secret."""


def _has_scheme(*schemes: str) -> AfterValidator:
    def check(url: str) -> str:
        for one in url.split(","):
            parts = urlsplit(one.strip())
            if parts.scheme not in schemes or not parts.hostname:
                raise ValueError(f"expected {' or '.join(f'{s}://host…' for s in schemes)}")
        return url

    return AfterValidator(check)


def redact(url: str) -> str:
    """The URL, or each of a comma-separated list, without its user and password, fit for a log line."""
    return ",".join(_redacted(one) for one in url.split(","))


def _redacted(url: str) -> str:
    parts = urlsplit(url.strip())
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


class CommonSettings(BaseSettings):
    """What every process needs. `nats_url` may list several servers, separated by commas."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    nats_url: Annotated[str, _has_scheme("nats", "tls", "ws", "wss"), Field(repr=False)] = "nats://127.0.0.1:4222"
    health_host: str = "127.0.0.1"
    health_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """0 takes any free port; the bound one is logged."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    log_pii: bool = False
    """Keep `pii.` fields (names, speech) in log lines; for debugging one's own meetings only."""
    instance: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = Field(
        default_factory=lambda: f"{socket.gethostname()[:50]}-{os.getpid()}"
    )
    """Name of this replica."""
    start_timeout_s: Annotated[float, Field(gt=0, le=300)] = 15.0
    """How long to wait at start for a server that cannot be reached."""


class RedisSettings(BaseSettings):
    """For services that keep state in Redis."""

    model_config = CommonSettings.model_config

    redis_url: Annotated[str, _has_scheme("redis", "rediss"), Field(repr=False)] = "redis://127.0.0.1:6379"


class DatabaseSettings(BaseSettings):
    """For services with tables: an async SQLAlchemy URL."""

    model_config = CommonSettings.model_config

    database_url: Annotated[str, Field(pattern=r"^(sqlite\+aiosqlite:///.+|postgresql\+asyncpg://.+)$", repr=False)]


class LivekitSettings(BaseSettings):
    """For services that speak to a LiveKit server or LiveKit Cloud, and can do without; `livekit_url` is empty then."""

    model_config = CommonSettings.model_config

    livekit_url: Annotated[str, Field(pattern=r"^(|wss?://.+)$")] = ""
    livekit_api_key: str = ""
    livekit_api_secret: SecretStr = SecretStr("")

    @model_validator(mode="after")
    def _livekit_is_whole(self) -> Self:
        if self.livekit_url and not (self.livekit_api_key and self.livekit_api_secret.get_secret_value()):
            raise ValueError(
                "ROOMSCRIBE_LIVEKIT_URL needs ROOMSCRIBE_LIVEKIT_API_KEY and ROOMSCRIBE_LIVEKIT_API_SECRET beside it"
            )
        return self


SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def load(settings: type[SettingsT]) -> SettingsT:
    """The settings as the environment has them. Raises `BadSettings`."""
    try:
        return settings()
    except ValidationError as error:
        lines = [_line(".".join(str(p) for p in e["loc"]), e["msg"], e["type"]) for e in error.errors()]
        raise BadSettings("\n".join(lines)) from error
    except _SourceError as error:
        found = re.search(r'field "(\w+)"', str(error))
        raise BadSettings(_line(found[1] if found else "?", "is not valid JSON", "json")) from error


def _line(field: str, message: str, kind: str) -> str:
    name, _, inside = field.partition(".")
    where = f" ({inside})" if inside else ""
    reason = "is not set, and has no default" if kind == "missing" else message.removeprefix("Value error, ")
    # A validator of several settings at once names them itself.
    return f"{ENV_PREFIX}{name.upper()}{where}: {reason}" if field else reason


def env_name(field: str) -> str:
    """The environment variable of a settings field."""
    return f"{ENV_PREFIX}{field.upper()}"
