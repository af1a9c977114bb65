"""How long somebody was there, however many connections that took. A report: connections are what is billed."""

from collections import defaultdict
from collections.abc import Iterable

from roomscribe_usage_metering.domain.connections import Connection


def presence_ms(connections: Iterable[Connection]) -> dict[tuple[str, str], int]:
    """Milliseconds by room SID and identity: the union of the connections, where they overlap counted once."""
    spans: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for one in connections:
        spans[one.room_sid, one.identity].append((one.start_ms, one.end_ms))
    return {who: _covered(of_one) for who, of_one in spans.items()}


def _covered(spans: list[tuple[int, int]]) -> int:
    total = until = 0
    for start, end in sorted(spans):
        total += max(0, end - max(start, until))
        until = max(until, end)
    return total
