"""Subjects: `<domain>.v<major>.<event>.<tenant>.<meeting>[.<track>[.<utterance>]]`, built and parsed in one place."""

from dataclasses import dataclass

from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.ids import is_token

UNKNOWN = "_"
"""Stands for a tenant, meeting or room that is not known where the message is made."""


class UnsafeToken(ValueError):
    """An id that may not stand in a subject; the message names it and the limit."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A parsed subject; `track` and `utterance` are None where the subject has none."""

    type: str
    tenant: str
    meeting: str
    track: str | None = None
    utterance: str | None = None

    def __str__(self) -> str:
        parts = (self.tenant, self.meeting, self.track, self.utterance)
        return ".".join([self.type, *(p for p in parts if p is not None)])


def safe(field: str, value: str) -> str:
    """`value` itself, if it may stand in a subject; else raises `UnsafeToken` naming `field` and the limit."""
    if not is_token(value):
        shown = value if len(value) <= 40 else f"{value[:40]}… ({len(value)} characters)"
        raise UnsafeToken(f"{field} {shown!r}: 1 to 64 letters, digits, '_' or '-'")
    return value


def subject_of(
    event: type[AnyEvent], tenant: str, meeting: str, track: str | None = None, utterance: str | None = None
) -> str:
    """The subject an event of this class is published on. Raises `UnsafeToken`."""
    return build(event.TYPE, tenant, meeting, track, utterance)


def build(type_: str, tenant: str, meeting: str, track: str | None = None, utterance: str | None = None) -> str:
    """`<type>.<tenant>.<meeting>[.<track>[.<utterance>]]`. Raises `UnsafeToken`."""
    if utterance is not None and track is None:
        raise UnsafeToken("an utterance needs its track")
    tokens = {"tenant": tenant, "meeting": meeting, "track": track, "utterance": utterance}
    return ".".join([type_, *(safe(field, value) for field, value in tokens.items() if value is not None)])


def parse(subject: str) -> Subject:
    """The parts of a subject of ours. Raises `UnsafeToken` if it is not one."""
    parts = subject.split(".")
    if not 5 <= len(parts) <= 7 or not all(is_token(p) for p in parts):
        raise UnsafeToken(
            f"subject {subject[:80]!r}: expected <domain>.v<n>.<event>.<tenant>.<meeting>[.<track>[.<utterance>]]"
        )
    return Subject(".".join(parts[:3]), *parts[3:])


def wildcard(event: type[AnyEvent], tenant: str = "*", meeting: str = ">") -> str:
    """The filter for all events of a class, of one tenant, or (`meeting` given) of one meeting."""
    tail = [tenant if tenant == "*" else safe("tenant", tenant)]
    tail.append(meeting if meeting == ">" else safe("meeting", meeting))
    if tail == ["*", ">"]:
        return f"{event.TYPE}.>"
    return ".".join([event.TYPE, *tail])


AUDIO_CHUNK = "audio.v1.chunk"
"""Type of the audio chunks' subjects: `audio.v1.chunk.<tenant>.<meeting>.<track>.<utterance>`."""

AUDIO_BEGUN = "audio.v1.begun"
"""Type of the marks that workers leave when they begin with an utterance: they count, and go with its audio."""


def audio_subject(tenant: str, meeting: str, track: str, utterance: str) -> str:
    """Where the chunks of one utterance go."""
    return build(AUDIO_CHUNK, tenant, meeting, track, utterance)


# Commands: core request and reply.
START_MEETING = "command.v1.dispatcher.start_meeting"
END_MEETING = "command.v1.dispatcher.end_meeting"
START_SERIES = "command.v1.dispatcher.start_series"
END_SERIES = "command.v1.dispatcher.end_series"
MEETING_USAGE = "command.v1.usage.meeting"
PERIOD_USAGE = "command.v1.usage.period"
ESTIMATE = "command.v1.usage.estimate"
COST_MODEL = "command.v1.usage.cost_model"
INVOICE = "command.v1.usage.invoice"
EXPLAIN = "command.v1.usage.explain"
COMPARE = "command.v1.usage.compare"
FORECAST = "command.v1.usage.forecast"
MEETING_ENDING = "command.v1.dispatcher.meeting_ending"
"""Told to every replica, before the agent is told to leave; nobody answers."""
LEAVE_ROOM = "command.v1.room.leave"
"""Goes on with tenant and meeting."""
COMMANDS = frozenset(
    {
        START_MEETING,
        END_MEETING,
        START_SERIES,
        END_SERIES,
        MEETING_USAGE,
        PERIOD_USAGE,
        ESTIMATE,
        COST_MODEL,
        INVOICE,
        EXPLAIN,
        COMPARE,
        FORECAST,
        MEETING_ENDING,
        LEAVE_ROOM,
    }
)


def leave_room(tenant: str, meeting: str) -> str:
    """Where the room process of a meeting listens for `LeaveRoom`."""
    return f"{LEAVE_ROOM}.{safe('tenant', tenant)}.{safe('meeting', meeting)}"
