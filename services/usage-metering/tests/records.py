"""Evidence as the service's handlers make it of events."""

from roomscribe_common.contracts.agent import AgentHeartbeat, AgentJoined, AgentLeft
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.livekit import LivekitEvent
from roomscribe_common.contracts.meeting import MeetingEnded, MeetingRequested, MeetingStarted
from roomscribe_common.contracts.stt import SttFinal
from roomscribe_common.contracts.usage import LlmUsage
from roomscribe_usage_metering.domain import translate
from roomscribe_usage_metering.domain.evidence import Record


def record(event: AnyEvent) -> Record:
    match event:
        case MeetingRequested() | MeetingStarted() | MeetingEnded():
            return translate.of_meeting(event)
        case AgentJoined() | AgentHeartbeat() | AgentLeft():
            return translate.of_agent(event)
        case SttFinal():
            return translate.of_final(event)
        case LlmUsage():
            return translate.of_tokens(event)
        case LivekitEvent():
            found = translate.of_webhook(event)
            assert found is not None
            return found
        case _:
            raise AssertionError(event)
