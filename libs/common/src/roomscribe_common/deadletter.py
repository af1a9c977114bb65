"""Messages that are given up: kept with their bytes, their place and the reason, on `dead.v1.letter.…`."""

import base64
import hashlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nats.aio.msg import Msg

from roomscribe_common.contracts.dead import DeadLetter, DeadLetterData
from roomscribe_common.contracts.dispatch import DispatchJob
from roomscribe_common.subjects import UNKNOWN, UnsafeToken, parse, subject_of

if TYPE_CHECKING:
    from roomscribe_common.bus import Bus

_MAX_PAYLOAD_BYTES = 64 * 1024
_MAX_TEXT = 1000
_TOKEN = re.compile(rb'("token"\s*:\s*")[^"]*')
"""Found in bytes, for what is buried may be no JSON."""


def of_delivery(msg: Msg, service: str, reason: str) -> DeadLetter:
    """The letter for a JetStream message. Its id derives from the message's place, so it is written once."""
    meta = msg.metadata
    return _letter(
        msg,
        service,
        reason,
        id=f"dead:{service}:{meta.stream}:{meta.sequence.stream}",
        consumer=meta.consumer,
        deliveries=meta.num_delivered,
        stream_sequence=meta.sequence.stream,
    )


def of_core(msg: Msg, service: str, reason: str) -> DeadLetter:
    """The letter for a core message; it has no place in a stream, so its id derives from its bytes."""
    digest = hashlib.sha256(msg.subject.encode() + b"\n" + msg.data).hexdigest()[:32]
    return _letter(
        msg, service, reason, id=f"dead:{service}:core:{digest}", consumer="core", deliveries=1, stream_sequence=0
    )


def _letter(
    msg: Msg, service: str, reason: str, *, id: str, consumer: str, deliveries: int, stream_sequence: int
) -> DeadLetter:
    try:
        place = parse(msg.subject)
        tenant, meeting = place.tenant, place.meeting
    except UnsafeToken:
        tenant, meeting = UNKNOWN, UNKNOWN
    now = datetime.now(UTC)
    data = DeadLetterData(
        service=service,
        consumer=consumer,
        reason=reason[:_MAX_TEXT],
        original_subject=msg.subject[:_MAX_TEXT],
        deliveries=deliveries,
        stream_sequence=stream_sequence,
        headers={str(k): str(v)[:_MAX_TEXT] for k, v in (msg.headers or {}).items()},
        payload_base64=base64.b64encode(_payload(msg)[:_MAX_PAYLOAD_BYTES]).decode(),
        at=now,
    )
    return DeadLetter.new(
        id=id,
        source=f"roomscribe/{service}",
        subject=subject_of(DeadLetter, tenant, meeting),
        tenant=tenant,
        data=data,
        time=now,
    )


def _payload(msg: Msg) -> bytes:
    """The bytes as they came; of a job without its LiveKit token, for letters are kept longer than a secret may be."""
    return _TOKEN.sub(rb"\1", msg.data) if msg.subject.startswith(DispatchJob.TYPE) else msg.data


async def bury(bus: "Bus", letter: DeadLetter) -> None:
    """Stores the letter. Raises `Retryable` if the stream does not take it."""
    await bus.publish(letter)
