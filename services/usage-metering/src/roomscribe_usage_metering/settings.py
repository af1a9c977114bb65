"""Settings of usage-metering."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from roomscribe_common.contracts.pricing.price_book import BookId
from roomscribe_common.settings import CommonSettings, DatabaseSettings

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Addresses = Annotated[str, Field(pattern=r"^https?://[^\s,]+(,https?://[^\s,]+)*$")]


class Settings(CommonSettings, DatabaseSettings):
    """`ROOMSCRIBE_…` variables. Without `livekit_url` rooms are not polled and webhooks are the only SFU evidence."""

    livekit_url: Annotated[str, Field(pattern=r"^wss?://.+")] | None = None
    livekit_api_key: str | None = Field(default=None, validate_default=True)
    livekit_api_secret: SecretStr | None = Field(default=None, validate_default=True)
    usage_poll_every_s: Seconds = 30.0
    """How often the rooms of meetings that run are polled."""
    usage_close_grace_s: Seconds = 120.0
    """How long after a meeting's end its ledger stays open for a leave that may never come."""
    usage_quiet_s: Seconds = 2.0
    """How long a meeting must bring no new evidence before its ledger is closed."""
    usage_price_book: BookId = "livekit-cloud-ship"
    """The book whose list prices a meeting is estimated with, and the plan of whom no account names another."""
    usage_price_books: Path | None = None
    """A folder of further price books, `*.json`."""
    usage_accounts: Path | None = None
    """A JSON file: each tenant's time zone, plans, prices of its own, budgets. Without it: UTC months on
    `usage_price_book` for everybody."""
    usage_period_grace_s: Annotated[float, Field(ge=0, le=31 * 86_400)] = 86_400.0
    """How long after its end a period is open for evidence that comes late."""
    usage_exports: Path | None = None
    """A JSON file: who else is told of usage (OpenMeter, Lago, Stripe)."""
    usage_watch_every_s: Seconds = 60.0
    """How often budgets, quotas, odd use and drift are looked for."""
    usage_alone_min: Annotated[int, Field(ge=1, le=1_440)] = 15
    """After how many minutes an agent that is alone in a room looks wrong."""
    usage_long_session_h: Annotated[int, Field(ge=1, le=720)] = 8
    """After how many hours a session or a connection looks wrong."""
    usage_reconnects: Annotated[int, Field(ge=2, le=1_000)] = 10
    """How many connections of one participant within ten minutes look wrong."""
    usage_node_metrics: Addresses | None = Field(default=None, repr=False)
    """Addresses of LiveKit's Prometheus text, one for each node, separated by commas."""
    usage_database_timeout_s: Seconds = 10.0

    @field_validator("livekit_api_key", "livekit_api_secret")
    @classmethod
    def _comes_with_url(cls, value: object, info: ValidationInfo) -> object:
        if value is None and info.data.get("livekit_url") is not None:
            raise ValueError("is needed with ROOMSCRIBE_LIVEKIT_URL")
        return value
