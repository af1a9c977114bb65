"""What speech to text has still to do for a meeting, and what it has done: asked of its streams."""

from typing import Final

import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from pydantic import ValidationError
from roomscribe_common.contracts.stt import SttFinal, SttGap, UtteranceOpened
from roomscribe_common.errors import Retryable
from roomscribe_common.stored import last, stored
from roomscribe_common.subjects import parse, wildcard

_QUEUE: Final = "STT"
_RESULTS: Final = "STT_RESULTS"


class Results:
    """The speech-to-text streams as one meeting sees them. Every call raises `Retryable`."""

    def __init__(self, nc: Client, js: JetStreamContext) -> None:
        self._nc = nc
        self._js = js

    async def is_working(self, tenant: str, meeting: str) -> bool:
        """Whether an utterance of the meeting waits for a worker or is with one."""
        return bool(await self._subjects(_QUEUE, f"{wildcard(UtteranceOpened, tenant, meeting)}.>"))

    async def finals(self, tenant: str, meeting: str) -> dict[str, str]:
        """The utterances that have a final, each with the final's subject."""
        subjects = await self._subjects(_RESULTS, f"{wildcard(SttFinal, tenant, meeting)}.>")
        return {parse(subject).utterance or "": subject for subject in subjects}

    async def is_silent(self, subject: str) -> bool:
        """Whether the final on this subject says that nobody spoke; a malformed one says nothing."""
        message = await last(self._js, _RESULTS, subject)
        try:
            return message is not None and SttFinal.model_validate_json(message.data).data.text == ""
        except ValidationError:
            return False

    async def gaps(self, tenant: str, meeting: str) -> list[SttGap]:
        """The meeting's gaps, as reported; malformed ones left out, for they are dead letters."""
        gaps: list[SttGap] = []
        async for message in stored(self._nc, _RESULTS, f"{wildcard(SttGap, tenant, meeting)}.>"):
            try:
                gaps.append(SttGap.model_validate_json(message.data))
            except ValidationError:
                continue
        return gaps

    async def _subjects(self, stream: str, pattern: str) -> list[str]:
        try:
            info = await self._js.stream_info(stream, subjects_filter=pattern)
        except nats.errors.Error as error:
            raise Retryable(f"stream {stream} did not answer") from error
        return list(info.state.subjects or {})
