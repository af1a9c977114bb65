"""Which evidence a line rests on: for whoever asks why it is what it is. Nothing is derived from this."""

from roomscribe_usage_metering.domain.evidence import (
    AgentSeen,
    AudioDecoded,
    ConnectionSeen,
    EgressSeen,
    Evidence,
    RoomFinished,
    RoomPolled,
    TokensUsed,
)
from roomscribe_usage_metering.domain.lines import Line

_TOKENS = ("llm_in", "llm_cached", "llm_out")


def concerning(line: Line, fact: Evidence) -> Evidence | None:
    """The fact, if the line rests on it. A poll is cut to who the line is about: others in the room may be another
    tenant's."""
    if isinstance(fact, RoomPolled):
        own = tuple(seen for seen in fact.present if _is_about(line, seen))
        return fact.model_copy(update={"present": own}) if own else None
    return fact if _is_about(line, fact) else None


def _is_about(line: Line, fact: Evidence) -> bool:
    kind, _, rest = line.line_id.partition(":")
    match fact:
        case ConnectionSeen(participant_sid=sid):
            return rest == sid or (kind == "agent" and rest.endswith(f":{sid}"))
        case AgentSeen(job_id=job, epoch=epoch, participant_sid=sid):
            return rest in (sid, f"{job}:{sid}") or rest.startswith(f"{job}:{epoch}:")
        case AudioDecoded(track_id=track, epoch=epoch):
            return rest == f"{track}:{epoch}:{fact.provider}/{fact.model}"
        case TokensUsed():
            return kind in _TOKENS and rest == f"{fact.provider}/{fact.model}"
        case EgressSeen(egress_id=egress_id):
            return kind == "egress" and rest == egress_id
        case RoomFinished():
            return line.basis == "room_finished"
        case _:
            return False
