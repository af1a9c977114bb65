"""Stores what was recognised, once, and clears the audio it came from."""

import logging
from dataclasses import replace

import nats.errors
from nats.js import JetStreamContext
from roomscribe_common.bus import Bus, WrongSequence
from roomscribe_common.contracts.audio import ChunkHeaders
from roomscribe_common.contracts.stt import SttEndpoint, SttFinal, SttGap, SttInterim
from roomscribe_common.registry import stream_of
from roomscribe_common.stored import last
from roomscribe_common.subjects import Subject, subject_of
from roomscribe_common.told import last_event_on

log = logging.getLogger(__name__)

AUDIO = "AUDIO"


class Results:
    """Publishes a worker's results. What cannot be stored is `Retryable`."""

    def __init__(self, bus: Bus, js: JetStreamContext) -> None:
        self.bus = bus
        self._js = js

    async def interim(self, event: SttInterim) -> None:
        """Sends words that may be lost."""
        await self.bus.publish_core(event)

    async def endpoint(self, event: SttEndpoint) -> None:
        """Sends the hint that a sentence is over; it may be lost."""
        await self.bus.publish_core(event)

    async def final(self, event: SttFinal) -> bool:
        """Stores the final; False if the utterance has one. The stream itself refuses a second, for as long as it keeps
        the first."""
        try:
            ack = await self.bus.publish(event, expected_last_subject_sequence=0)
        except WrongSequence:
            return False
        return not ack.duplicate

    async def gap(self, event: SttGap) -> None:
        """Stores a gap, once."""
        await self.bus.publish(event)

    async def settled(self, place: Subject) -> bool:
        """Whether the utterance has its final, or a gap that stands for all of it. A malformed gap settles nothing."""
        if await last(self._js, stream_of(SttFinal), _of(SttFinal, place)) is not None:
            return True
        gap = await last_event_on(self._js, SttGap, _of(SttGap, place))
        return gap is not None and gap.data.whole

    async def has_audio(self, subject: str) -> bool:
        """Whether anything of the utterance's audio is there."""
        return await last(self._js, AUDIO, subject) is not None

    async def audio_length(self, subject: str) -> int:
        """Samples from the utterance's start to the end of its newest chunk; 0 if none can be read."""
        chunk = await last(self._js, AUDIO, subject)
        if chunk is None:
            return 0
        try:
            return ChunkHeaders.from_headers(chunk.headers).first_sample + len(chunk.data) // 2
        except ValueError:
            return 0

    async def purge_audio(self, place: Subject) -> None:
        """Frees the utterance's audio, and the marks of who began with it; if that fails they age out."""
        try:
            await self._js.purge_stream(AUDIO, subject=str(replace(place, type="audio.v1.*")))
        except nats.errors.Error as error:
            log.warning("audio not purged", extra={"error": str(error)})


def _of(event: type[SttFinal] | type[SttGap], place: Subject) -> str:
    return subject_of(event, place.tenant, place.meeting, place.track, place.utterance)
