"""What speech to text has still to do for a meeting, and what it has done: asked of its streams."""

import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.stt import SttFinal, SttGap, UtteranceOpened
from roomscribe_common.errors import Retryable
from roomscribe_common.registry import stream_of
from roomscribe_common.subjects import parse, wildcard
from roomscribe_common.told import all_events, last_event_on


class Results:
    """The speech-to-text streams as one meeting sees them. Every call raises `Retryable`."""

    def __init__(self, nc: Client, js: JetStreamContext) -> None:
        self._nc = nc
        self._js = js

    async def is_working(self, tenant: str, meeting: str) -> bool:
        """Whether an utterance of the meeting waits for a worker or is with one."""
        return bool(await self._subjects(UtteranceOpened, tenant, meeting))

    async def finals(self, tenant: str, meeting: str) -> dict[str, str]:
        """The utterances that have a final, each with the final's subject."""
        subjects = await self._subjects(SttFinal, tenant, meeting)
        return {parse(subject).utterance or "": subject for subject in subjects}

    async def is_silent(self, subject: str) -> bool:
        """Whether the final on this subject says that nobody spoke; a malformed one says nothing."""
        final = await last_event_on(self._js, SttFinal, subject)
        return final is not None and final.data.text == ""

    async def gaps(self, tenant: str, meeting: str) -> list[SttGap]:
        """The meeting's gaps, as reported; malformed ones left out, for they are dead letters."""
        return [gap async for gap in all_events(self._nc, SttGap, tenant, meeting)]

    async def _subjects(self, event: type[AnyEvent], tenant: str, meeting: str) -> list[str]:
        stream = stream_of(event)
        try:
            info = await self._js.stream_info(stream, subjects_filter=f"{wildcard(event, tenant, meeting)}.>")
        except nats.errors.Error as error:
            raise Retryable(f"stream {stream} did not answer") from error
        return list(info.state.subjects or {})
