"""What the worker counts. Labels are few and fixed: never a tenant, room or utterance."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from roomscribe_stt_worker.engines.protocol import Clip
from roomscribe_stt_worker.slots import Slots


class Pool(Protocol):
    """What is reported of the decode threads."""

    @property
    def waiting(self) -> int:
        """Decodes no thread has begun."""
        ...


class Metrics:
    """The worker's instruments on one meter."""

    def __init__(self, meter: Meter, engine: str) -> None:
        self._meter = meter
        self._engine = {"engine": engine}
        self._lag = meter.create_histogram(
            "roomscribe_stt_queue_lag", unit="s", description="From an utterance's opening to its slot"
        )
        self._decode = meter.create_histogram("roomscribe_stt_decode", unit="s", description="Wall time of a decode")
        self._audio = meter.create_counter("roomscribe_stt_audio", unit="s", description="Audio decoded")
        self._rate = meter.create_histogram(
            "roomscribe_stt_real_time_factor", unit="1", description="Seconds of audio decoded in a second"
        )
        self._latency = meter.create_histogram(
            "roomscribe_stt_final_wait", unit="s", description="From the last chunk's cut to the final's publish"
        )
        self._utterances = meter.create_counter("roomscribe_stt_utterances", description="Utterances by outcome")

    def watch(self, slots: Slots, pool: Pool) -> None:
        """Reports how many slots are taken, of how many, and what waits."""
        self._gauge("roomscribe_stt_slots_busy", lambda: slots.busy, "Utterances followed")
        self._gauge("roomscribe_stt_slots", lambda: slots.count, "Utterances that may be")
        self._gauge("roomscribe_stt_slots_waiting", lambda: slots.waiting, "Utterances claimed that wait for a slot")
        self._gauge("roomscribe_stt_decodes_waiting", lambda: pool.waiting, "Decodes that wait for a thread")

    def _gauge(self, name: str, value: Callable[[], float], description: str) -> None:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return [Observation(value())]

        self._meter.create_observable_gauge(name, [observe], description=description)

    def begun(self, lag_s: float) -> None:
        """A worker began with an utterance for the first time, `lag_s` after it opened."""
        self._lag.record(max(0.0, lag_s))

    def decoded(self, kind: str, seconds: float, clips: Sequence[Clip]) -> None:
        """A decode of `kind` (final, early, interim) is done."""
        labels = {**self._engine, "kind": kind}
        audio_s = sum(clip.duration_s for clip in clips)
        self._decode.record(seconds, labels)
        self._audio.add(audio_s, labels)
        self._rate.record(audio_s / max(seconds, 1e-6), labels)

    def waited(self, seconds: float) -> None:
        """A final came `seconds` after its last chunk was cut."""
        self._latency.record(max(0.0, seconds))

    def ended(self, outcome: str) -> None:
        """An utterance's item was settled: final, empty, truncated, gap, done_before, again or dead."""
        self._utterances.add(1, {"outcome": outcome})
