"""Use that looks wrong: found in a meeting's ledger alone."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from roomscribe_usage_metering.domain.ledger import Ledger
from roomscribe_usage_metering.domain.lines import Line, instant

_MINUTE_MS = 60_000
_CONNECTION, _SESSION = "webrtc_participant_minutes", "agent_session_minutes"
Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on it looks wrong: `reconnects` connections of one participant beginning `within_ms`."""

    alone_ms: int = 15 * _MINUTE_MS
    session_ms: int = 8 * 60 * _MINUTE_MS
    reconnects: int = 10
    within_ms: int = 10 * _MINUTE_MS


@dataclass(frozen=True, slots=True)
class Anomaly:
    """What was found; `at_ms` is when the limit was reached. `detail` has numbers and no names."""

    kind: Literal["agent_alone", "long_session", "reconnect_storm"]
    at_ms: int
    detail: str


def anomalies(ledger: Ledger, limits: Limits) -> list[Anomaly]:
    """Each kind at most once: the first of it."""
    found = [*_alone(ledger.lines, limits), *_long(ledger.lines, limits), *_storms(ledger.lines, limits)]
    first: dict[str, Anomaly] = {}
    for one in sorted(found, key=lambda anomaly: (anomaly.at_ms, anomaly.detail)):
        first.setdefault(one.kind, one)
    return list(first.values())


def _alone(lines: Iterable[Line], limits: Limits) -> Iterator[Anomaly]:
    """Only where the SFU told of the agent's own connection: else it may not have told of the people either."""
    sessions = [line for line in lines if line.meter == _SESSION]
    agents = {line.line_id.rpartition(":")[2] for line in sessions}
    connections = [line for line in lines if line.meter == _CONNECTION]
    if agents.isdisjoint(line.subject for line in connections):
        return
    people = _union(_interval(line) for line in connections if line.subject not in agents)
    for start, end in _without(_union(map(_interval, sessions)), people):
        if end - start >= limits.alone_ms:
            yield Anomaly(
                "agent_alone",
                start + limits.alone_ms,
                f"the agent was alone in the room for {_minutes(end - start)}, from {_clock(start)} to {_clock(end)}",
            )


def _long(lines: Iterable[Line], limits: Limits) -> Iterator[Anomaly]:
    for line in lines:
        if line.meter in (_CONNECTION, _SESSION) and line.quantity >= limits.session_ms:
            what = "a connection" if line.meter == _CONNECTION else "an agent session"
            hours, minutes = divmod(line.quantity // _MINUTE_MS, 60)
            yield Anomaly(
                "long_session", line.start_ms + limits.session_ms, f"{what} has lasted {hours} h {minutes} min"
            )


def _storms(lines: Iterable[Line], limits: Limits) -> Iterator[Anomaly]:
    by_identity: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if line.meter == _CONNECTION:
            by_identity[line.identity].append(line)
    for own in by_identity.values():
        own.sort(key=lambda line: line.start_ms)
        for first, last in zip(own, own[limits.reconnects - 1 :], strict=False):
            if last.start_ms - first.start_ms <= limits.within_ms:
                yield _storm(own, last, limits)
                break


def _storm(own: list[Line], last: Line, limits: Limits) -> Anomaly:
    billed = sum(line.steps for line in own)
    present = sum(end - start for start, end in _union(map(_interval, own)))
    detail = (
        f"{limits.reconnects} connections of one participant began within {_minutes(limits.within_ms)}; "
        f"{billed} minutes are billed for {_minutes(present)} of presence"
    )
    return Anomaly("reconnect_storm", last.start_ms, detail)


def _interval(line: Line) -> Interval:
    return line.start_ms, line.end_ms


def _union(intervals: Iterable[Interval]) -> list[Interval]:
    joined: list[Interval] = []
    for start, end in sorted(intervals):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def _without(intervals: Iterable[Interval], taken: Iterable[Interval]) -> Iterator[Interval]:
    """What is left of the intervals; both are unions."""
    out = list(taken)
    for start, end in intervals:
        for from_ms, to_ms in out:
            if to_ms <= start or from_ms >= end:
                continue
            if from_ms > start:
                yield start, from_ms
            start = max(start, to_ms)
        if start < end:
            yield start, end


def _minutes(ms: int) -> str:
    whole = -(-ms // _MINUTE_MS)
    return f"{whole} minute{'' if whole == 1 else 's'}"


def _clock(ms: int) -> str:
    return instant(ms).strftime("%H:%M UTC")
