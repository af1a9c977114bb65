"""Where a message stands in its stream, for a handler that needs more than the event."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from nats.aio.msg import Msg


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of a stored message. `deliveries` counts from 1; `stored_at` is the server's clock."""

    subject: str
    stream: str
    stream_sequence: int
    consumer: str
    deliveries: int
    stored_at: datetime
    pending: int
    """Messages of the consumer still to come after this one."""
    headers: Mapping[str, str]

    @classmethod
    def of(cls, msg: Msg) -> "Delivery":
        """From a JetStream message."""
        meta = msg.metadata
        return cls(
            subject=msg.subject,
            stream=meta.stream,
            stream_sequence=meta.sequence.stream,
            consumer=meta.consumer,
            deliveries=meta.num_delivered,
            stored_at=meta.timestamp,
            pending=meta.num_pending,
            headers=msg.headers or {},
        )
