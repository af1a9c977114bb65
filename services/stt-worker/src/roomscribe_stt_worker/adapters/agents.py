"""Whether the agent that hears an utterance is still there to say more of it."""

from nats.js import JetStreamContext
from roomscribe_common.contracts.agent import AgentJoined, AgentLeft
from roomscribe_common.errors import Retryable
from roomscribe_common.told import last_event

from roomscribe_stt_worker.domain.events import Hearing


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
        try:
            found = await last_event(self._js, event, hearing.tenant, hearing.utterance.meeting_id)
        except Retryable:
            return None
        return None if found is None else found.data.epoch
