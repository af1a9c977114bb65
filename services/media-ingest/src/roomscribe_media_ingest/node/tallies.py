"""What a node and its room processes have done, as metrics. Labels are reasons, never a tenant or a meeting."""

from collections.abc import Callable, Iterable

from opentelemetry.metrics import CallbackOptions, Meter, Observation
from roomscribe_common.contracts.agent import Counters

from roomscribe_media_ingest.node.room_process import RoomProcess


class Tallies:
    """One per node."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._attending: set[RoomProcess] = set()
        self._before = dict.fromkeys(Counters.model_fields, 0)
        self._join = meter.create_histogram("roomscribe_ingest_join", unit="s", description="From claim to joined")
        self._failed = meter.create_counter("roomscribe_ingest_joins_failed", description="Jobs that reached no room")
        self._ended = meter.create_counter("roomscribe_ingest_rooms_ended", description="Meetings left, by reason")
        for name in Counters.model_fields:
            meter.create_observable_counter(f"roomscribe_ingest_{name}", [self._sum_of(name)])

    def watch(self, name: str, description: str, count: Callable[[], int]) -> None:
        """A gauge of the node."""

        def observe(_: CallbackOptions) -> Iterable[Observation]:
            yield Observation(count())

        self._meter.create_observable_gauge(name, [observe], description=description)

    def joined(self, room: RoomProcess, took_s: float) -> None:
        """An agent is in its room."""
        self._attending.add(room)
        self._join.record(took_s)

    def failed(self) -> None:
        """An agent did not get into its room."""
        self._failed.add(1)

    def ended(self, room: RoomProcess) -> None:
        """A room process is gone; one that gave no reason was lost."""
        self._ended.add(1, {"reason": room.reason or "lost"})
        self._attending.discard(room)
        for name, value in room.counters.model_dump().items():
            self._before[name] += value

    def _sum_of(self, name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            yield Observation(self._before[name] + sum(getattr(room.counters, name) for room in self._attending))

        return observe
