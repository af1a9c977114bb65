"""Messages that could not be handled, kept with the reason."""

from pydantic import AwareDatetime

from roomscribe_common.contracts.base import Data, Event


class DeadLetterData(Data):
    """The message as it came. `payload_base64` holds its bytes, cut at 64 KiB, without the token of a dispatch job."""

    service: str
    consumer: str
    reason: str
    original_subject: str
    deliveries: int
    stream_sequence: int
    headers: dict[str, str] = {}
    payload_base64: str
    at: AwareDatetime


class DeadLetter(Event[DeadLetterData]):
    """A message was given up."""

    TYPE = "dead.v1.letter"
