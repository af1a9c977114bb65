"""Whether the agent that hears an utterance is still there to say more of it."""

from typing import Final

from nats.js import JetStreamContext
from pydantic import ValidationError
from roomscribe_common.contracts.agent import AgentJoined, AgentLeft
from roomscribe_common.errors import Retryable
from roomscribe_common.stored import last
from roomscribe_common.subjects import subject_of

from roomscribe_stt_worker.domain.events import Hearing

_MEETINGS: Final = "MEETINGS"


class Agents:
    """Asked of the stream, so that it does not matter who was listening when it was said."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js

    async def is_gone(self, hearing: Hearing) -> bool:
        """The utterance's agent has left, or its node says that it died, or a later one is there. False if in doubt."""
        epoch = hearing.utterance.epoch
        left = await self._epoch(AgentLeft, hearing)
        if left is not None and left >= epoch:
            return True
        joined = await self._epoch(AgentJoined, hearing)
        return joined is not None and joined > epoch

    async def _epoch(self, event: type[AgentLeft] | type[AgentJoined], hearing: Hearing) -> int | None:
        """Of the last that was said so."""
        subject = subject_of(event, hearing.tenant, hearing.utterance.meeting_id)
        try:
            found = await last(self._js, _MEETINGS, subject)
            return None if found is None else event.model_validate_json(found.data).data.epoch
        except (Retryable, ValidationError):
            return None
