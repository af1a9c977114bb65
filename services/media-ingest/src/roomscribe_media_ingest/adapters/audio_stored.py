"""What the audio stream holds of an utterance behind a chunk."""

from dataclasses import dataclass
from typing import Final, cast

import nats.errors
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from roomscribe_common.bus import MSG_ID
from roomscribe_common.errors import Retryable

_AUDIO: Final = "AUDIO"


@dataclass(frozen=True, slots=True)
class StoredId:
    """A message's `Nats-Msg-Id`, and its position in the stream."""

    message_id: str | None
    sequence: int


async def next_stored(js: JetStreamContext, subject: str, behind: int) -> StoredId | None:
    """The first message on `subject` behind that position, asked of the stream's leader; None if there is none.

    Raises `Retryable` if the server does not answer.
    """
    try:
        found = await js.get_msg(_AUDIO, behind + 1, subject=subject, next=True)
    except NotFoundError:
        return None
    except nats.errors.Error as error:
        raise Retryable(f"stream {_AUDIO} did not answer a read") from error
    headers = cast("dict[str, str]", found.headers or {})  # pyright: ignore[reportUnknownMemberType]  # untyped dict
    return StoredId(headers.get(MSG_ID), found.seq or 0)
