"""Settings of attribution."""

from typing import Annotated

from pydantic import Field
from roomscribe_common.settings import CommonSettings


class AttributionSettings(CommonSettings):
    """Attribution needs nothing but NATS."""

    attribution_meetings_cached: Annotated[int, Field(ge=1, le=100_000)] = 500
    """Meetings whose numbering is kept in memory; the others are read again from the stream when met."""
    attribution_completion_wait_s: Annotated[float, Field(ge=0, le=3000)] = 300.0
    """How long an ended meeting waits for its last finals before it is called incomplete."""
