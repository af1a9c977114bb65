"""Settings of usage-metering."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from roomscribe_common.contracts.pricing.price_book import BookId
from roomscribe_common.settings import CommonSettings, DatabaseSettings

Seconds = Annotated[float, Field(gt=0, le=86_400)]


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
    """The book whose list prices a meeting is estimated with."""
    usage_price_books: Path | None = None
    """A folder of further price books, `*.json`."""
    usage_database_timeout_s: Seconds = 10.0

    @field_validator("livekit_api_key", "livekit_api_secret")
    @classmethod
    def _comes_with_url(cls, value: object, info: ValidationInfo) -> object:
        if value is None and info.data.get("livekit_url") is not None:
            raise ValueError("is needed with ROOMSCRIBE_LIVEKIT_URL")
        return value
