"""Counts the workers that began with an utterance, where the count outlives them: beside its audio."""

from typing import Final

from nats.js import JetStreamContext
from roomscribe_common.bus import EXPECTED_LAST_SUBJECT_SEQUENCE, MSG_ID, Bus, WrongSequence
from roomscribe_common.errors import Retryable
from roomscribe_common.stored import last
from roomscribe_common.subjects import AUDIO_BEGUN, Subject, build

_AUDIO: Final = "AUDIO"
_ATTEMPT: Final = "Rs-Attempt"
_RACES: Final = 8
"""Two workers begin at once only where one of them stood still, so one more try is nearly always enough."""
_MARK_S: Final = 5.0


class Attempts:
    """A delivery of the work item is none: it may have stood in line only, in a worker that then died."""

    def __init__(self, bus: Bus, js: JetStreamContext) -> None:
        self._bus = bus
        self._js = js

    async def begin(self, place: Subject) -> int:
        """The how manieth attempt at the utterance this is. It counts from now on, whatever becomes of the worker.

        Raises `Retryable` if it could not be marked.
        """
        subject = build(AUDIO_BEGUN, place.tenant, place.meeting, place.track, place.utterance)
        attempt, behind = 1, 0
        for _ in range(_RACES):
            headers = {
                MSG_ID: f"begun:{place.utterance}:{attempt}",
                EXPECTED_LAST_SUBJECT_SEQUENCE: str(behind),
                _ATTEMPT: str(attempt),
            }
            try:
                await self._bus.publish_bytes(subject, b"", headers, deadline_s=_MARK_S)
            except WrongSequence:
                newest = await last(self._js, _AUDIO, subject)
                attempt, behind = (1, 0) if newest is None else (_next(newest.headers.get(_ATTEMPT)), newest.sequence)
            else:
                return attempt
        raise Retryable("other workers began with the utterance each time")


def _next(attempt: str | None) -> int:
    return int(attempt) + 1 if attempt is not None and attempt.isdecimal() else 1
