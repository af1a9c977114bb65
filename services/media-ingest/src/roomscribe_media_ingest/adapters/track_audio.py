"""One track's audio, from decoded frames to NATS: what the room process holds per subscribed track.

How the room process uses it:

    vad = SileroVad()                        # adapters/silero.py; once per process, shared by all tracks
    clock = MeetingClock(job.started_at)     # adapters/clock.py; once per room
    track = TrackAudio(
        TrackMeta(tenant, meeting_id, room, epoch, started_at, participant, track, language, keyterms),
        vad=vad.track(), bus=service.bus, clock=clock, config=AudioConfig())
    tasks.create_task(track.run())           # publishes until close(); closes an utterance when frames stop
    track.feed(pcm)                          # int16 ndarray, 16 kHz mono, any length; never awaits
    track.mute()                             # the track was muted: ends the open utterance; feeding may go on
    track.rename(name)                       # utterances opened from now on carry it
    delivered = await track.close(5.0)       # track or meeting ended; ends run(); call feed no more; None: no deadline
    track.counters                           # contracts.agent.Counters, cumulative; also after close()

Ask LiveKit for `AudioStream(track, sample_rate=16000, num_channels=1, frame_size_ms=96)`: a frame is then exactly one
call of the voice model. `bus` is `roomscribe_common.bus.Bus`.
"""

import asyncio
from dataclasses import replace
from typing import Protocol

import numpy as np
from roomscribe_common.contracts.agent import Counters
from roomscribe_common.contracts.stt import SttGap
from roomscribe_common.ids import new_id

from roomscribe_media_ingest.adapters.audio_out import AudioBus, Publisher
from roomscribe_media_ingest.domain.backlog import Backlog, Budget
from roomscribe_media_ingest.domain.config import AudioConfig
from roomscribe_media_ingest.domain.listener import Listener, Vad
from roomscribe_media_ingest.domain.segmenter import Audio, Closed, Cut, Opened, Pcm
from roomscribe_media_ingest.domain.timeline import Timeline
from roomscribe_media_ingest.domain.utterance import SAMPLES_PER_MS, Outgoing, TrackMeta

NOTHING: Pcm = np.zeros(0, np.int16)


class Clock(Protocol):
    """The meeting's clock, `adapters.clock.MeetingClock`."""

    def now_ms(self) -> float:
        """Now, in milliseconds from the meeting's start."""
        ...

    def unix_ms(self, meeting_ms: float) -> int:
        """A moment of the meeting as Unix milliseconds."""
        ...


class TrackAudio:
    """Listens to one track and puts what is said on the bus. See the module for how it is used."""

    def __init__(
        self,
        meta: TrackMeta,
        *,
        vad: Vad,
        bus: AudioBus,
        clock: Clock,
        config: AudioConfig,
        budget: Budget | None = None,
    ) -> None:
        """`budget`: what all tracks of the process share, beyond each track's own limit."""
        self._meta = meta
        self._clock = clock
        self._stalled_s = config.stalled_ms / 1000
        self._chunk_samples = config.chunk_ms * SAMPLES_PER_MS
        self._listener = Listener(vad, config)
        self._timeline = Timeline()
        self._backlog = Backlog(config.buffer_bytes, budget)
        self._publisher = Publisher(bus, self._backlog)
        self._first = 0
        self._start_ms = 0
        self._pending: Pcm = NOTHING
        self._opened = self._closed = self._speech_samples = self._fed_samples = 0
        self._fed_at_ms = 0.0
        self.last_utterance_id: str | None = None
        """Of what was said last on the track."""

    @property
    def counters(self) -> Counters:
        """What was heard, sent and lost so far."""
        return Counters(
            utterances_opened=self._opened,
            utterances_closed=self._closed,
            speech_ms=self._speech_samples // SAMPLES_PER_MS,
            audio_ms=self._fed_samples // SAMPLES_PER_MS,
            dropped_ms=self._backlog.dropped_samples // SAMPLES_PER_MS,
            chunks=self._publisher.chunks,
            gaps=self._publisher.gaps,
        )

    @property
    def queued_bytes(self) -> int:
        """Audio the bus has not taken yet."""
        return self._backlog.size_bytes

    @property
    def unsent_since_ms(self) -> int | None:
        """Since when the bus has not taken what is said, in Unix milliseconds; None if it has all."""
        head = self._backlog.head
        if head is None or not (head.chunks or head.dropped):
            return None
        start_ms = self._clock.unix_ms(head.utterance.start_ms)
        return start_ms if head.dropped else start_ms + head.chunks[0].headers.first_sample // SAMPLES_PER_MS

    async def run(self) -> None:
        """Publishes until `close`."""
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._end_when_stalled())
            await self._publisher.run()
            watching.cancel()

    def feed(self, pcm: Pcm) -> None:
        """The next samples of the track."""
        self._fed_at_ms = self._clock.now_ms()
        self._fed_samples += len(pcm)
        self._timeline.advance(len(pcm), self._fed_at_ms)
        self._act(self._listener.take(pcm))

    def mute(self) -> None:
        """Ends the open utterance, if there is one."""
        self._act(self._listener.flush())

    def sentence_over(self, utterance_id: str, up_to_sample: int) -> None:
        """A worker's hint: the sentence ends there. Ends the utterance, unless more was said since."""
        if utterance_id == self.last_utterance_id:
            self._act(self._listener.finish(self._first + up_to_sample))

    def rename(self, name: str) -> None:
        """The participant has a new name."""
        self._meta = replace(self._meta, participant=self._meta.participant.model_copy(update={"name": name}))

    async def close(self, timeout_s: float | None) -> bool:
        """Ends the open utterance and waits until all is on the bus.

        False: it was not in time, and the rest is lost. `give_up` says what that was.
        """
        self.mute()
        return await self._publisher.close(timeout_s)

    def give_up(self) -> list[SttGap]:
        """What is not on the bus is lost, as after a `close` that was not in time. Returns all that was lost so, as
        events for whoever can still publish them.
        """
        self._publisher.give_up()
        return self._publisher.lost

    async def _end_when_stalled(self) -> None:
        while True:
            await asyncio.sleep(self._stalled_s / 2)
            if self._listener.is_open and self._clock.now_ms() - self._fed_at_ms > self._stalled_s * 1000:
                self.mute()

    def _act(self, cuts: list[Cut]) -> None:
        for cut in cuts:
            match cut:
                case Opened():
                    self._open(cut)
                case Audio():
                    self._add(cut)
                case Closed():
                    self._close(cut)
        if cuts:
            self._publisher.wake()

    def _open(self, cut: Opened) -> None:
        self._first = cut.first
        self._opened += 1
        self._start_ms = self._timeline.start_ms(cut.first)
        self.last_utterance_id = new_id("utt")
        pre_roll_ms = (cut.speech - cut.first) // SAMPLES_PER_MS
        utterance = self._meta.utterance(self.last_utterance_id, self._start_ms, pre_roll_ms)
        self._backlog.open(Outgoing(self._meta.tenant, utterance))

    def _add(self, cut: Audio) -> None:
        self._pending = np.concatenate((self._pending, cut.pcm))
        if cut.pause or len(self._pending) >= self._chunk_samples:
            self._cut_chunk(pause=cut.pause)

    def _close(self, cut: Closed) -> None:
        self._cut_chunk(speech_end=cut.speech_end - self._first)
        self._closed += 1
        self._speech_samples += cut.speech_end - self._first
        self._timeline.ended(self._start_ms + (cut.end - self._first) // SAMPLES_PER_MS)

    def _cut_chunk(self, *, pause: bool = False, speech_end: int | None = None) -> None:
        body = self._pending.astype("<i2", copy=False).tobytes()
        self._pending = NOTHING
        sent_at_ms = self._clock.unix_ms(self._clock.now_ms())
        self._backlog.append(body, sent_at_ms=sent_at_ms, pause=pause, speech_end=speech_end)
