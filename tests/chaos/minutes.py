"""Were the right minutes billed? LiveKit's own word for every connection against the ledger's lines."""

import math

from tests.chaos.evidence import Connection, Evidence

_EDGE_S = 2.0
"""What was seen from outside is at most so much off: a connection so near a full minute may be billed either way."""


def wrong_minutes(evidence: Evidence) -> list[str]:
    """One sentence per connection that is billed wrongly, twice, or not at all; and per line of one that never was."""
    if evidence.usage is None:
        return ["there is no ledger"]
    lines: dict[str, list[int]] = {}
    for line in evidence.usage.lines:
        if line.meter == "webrtc_participant_minutes":
            lines.setdefault(line.subject, []).append(int(line.billed))
    wrong: list[str] = []
    for connection in evidence.connections:
        billed = lines.pop(connection.sid, [])
        right = _right(connection)
        if len(billed) != 1 or billed[0] not in right:
            wrong.append(
                f"{connection.identity} ({connection.sid}) was connected for "
                f"{connection.left_at - connection.joined_at:.1f} s: {sorted(right)} minutes, billed {billed}"
            )
    wrong += [f"{sid} was billed {billed} and was never connected" for sid, billed in lines.items()]
    return wrong


def _right(connection: Connection) -> set[int]:
    lasted_s = connection.left_at - connection.joined_at
    return {max(1, math.ceil((lasted_s + off) / 60)) for off in (-_EDGE_S, 0.0, _EDGE_S)}
