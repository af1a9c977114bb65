"""A second ledger, written from the rules alone and slow on purpose.

It reads the same lines of evidence, and shares no code with the first: no models, no merging, every question is put to
the whole pile again.
"""

from collections.abc import Iterable, Mapping
from typing import Any

Line = Mapping[str, Any]
KINDS = ("STANDARD", "AGENT")


def connections(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """What is billed for each participant SID."""
    pile = list(lines)
    rows: list[dict[str, Any]] = []
    for sid in {told["sid"] for told in _tellings(pile)}:
        of_one = [told for told in _tellings(pile) if told["sid"] == sid]
        kind = sorted(told["kind"] for told in of_one)[0]
        if kind not in KINDS or _never_active(of_one):
            continue
        rows.append(_connection(pile, of_one) | {"participant_sid": sid, "kind": kind})
    return sorted(rows, key=lambda row: (row["room_sid"], row["start_ms"], row["participant_sid"]))


def _connection(pile: list[Line], of_one: list[dict[str, Any]]) -> dict[str, Any]:
    room = sorted(told["room"] for told in of_one)[0]
    joined = [told["joined"] for told in of_one if told["joined"]]
    left = [told["at"] for told in of_one if told["says"] in ("left", "aborted")]
    seen = [told["at"] for told in of_one if told["says"] in ("joined", "present")]
    start = min(joined) if joined else min(left + seen)
    closed = room_ends(pile, room)
    if left:
        end, basis = min(left), "left"
    elif closed:
        end, basis = min(closed), "room_finished"
    else:
        end, basis = max([start, *seen]), "last_seen"
    end = end if end > start else start + 1
    return {
        "room_sid": room,
        "identity": sorted(told["identity"] for told in of_one)[-1],
        "start_ms": start,
        "end_ms": end,
        "end_basis": basis,
        "minutes": started_minutes(end - start),
    }


def agent_sessions(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """What is billed for each job and participant SID that was ever connected."""
    pile = list(lines)
    beats = [line["heartbeat"] for line in pile if "heartbeat" in line and line["heartbeat"]["connected_at_ms"]]
    rows: list[dict[str, Any]] = []
    for job, sid in {(beat["job_id"], beat["participant_sid"]) for beat in beats}:
        own = [beat for beat in beats if (beat["job_id"], beat["participant_sid"]) == (job, sid)]
        at_sfu = [told for told in _tellings(pile) if told["sid"] == sid]
        if _never_active(at_sfu):
            continue
        start = min(beat["connected_at_ms"] for beat in own)
        ends = [max(beat["connected_at_ms"] + beat["uptime_ms"] for beat in own)]
        ends += [told["at"] for told in at_sfu if told["says"] in ("left", "aborted")]
        closed = [room_ends(pile, room) for room in {beat["room_sid"] for beat in own}]
        if all(closed):
            ends.append(max(min(of_room) for of_room in closed))
        end = max(min(ends), start + 1)
        row = {"job_id": job, "participant_sid": sid, "start_ms": start, "end_ms": end}
        rows.append(row | {"minutes": started_minutes(end - start)})
    return sorted(rows, key=lambda row: (row["job_id"], row["start_ms"], row["participant_sid"]))


def started_minutes(ms: int) -> int:
    """10 s are one, 60 s are one, 60.001 s are two."""
    whole, rest = divmod(ms, 60_000)
    return whole + 1 if rest else whole


def ticks_in(start_ms: int, duration_ms: int, from_ms: int, to_ms: int) -> int:
    """Started minutes of a connection whose first instant is in `[from_ms, to_ms)`, counted one by one."""
    count, at = 0, start_ms
    while at < start_ms + duration_ms:
        count += from_ms <= at < to_ms
        at += 60_000
    return count


def room_ends(pile: list[Line], room: str) -> list[int]:
    """When the room was said to be finished."""
    hooks = [line["livekit"] for line in pile if "livekit" in line]
    return [int(h["createdAt"]) * 1000 for h in hooks if h["event"] == "room_finished" and h["room"]["sid"] == room]


def _never_active(of_one: list[dict[str, Any]]) -> bool:
    says = {told["says"] for told in of_one}
    return "aborted" in says and not says & {"joined", "left"}


_SAYS = {
    "participant_joined": "joined",
    "participant_left": "left",
    "participant_connection_aborted": "aborted",
}


def _tellings(pile: list[Line]) -> list[dict[str, Any]]:
    """Everything anybody said about any connection."""
    told: list[dict[str, Any]] = []
    for line in pile:
        if "livekit" in line and line["livekit"]["event"] in _SAYS:
            hook = line["livekit"]
            one = _who(hook["participant"], int(hook["participant"].get("joinedAtMs", 0)), hook["room"]["sid"])
            told.append(one | {"at": int(hook["createdAt"]) * 1000, "says": _SAYS[hook["event"]]})
        if "poll" in line:
            poll = line["poll"]
            for who in poll["participants"]:
                one = _who(who, who["joined_at_ms"] or 0, poll["room_sid"])
                told.append(one | {"at": poll["at_ms"], "says": "present"})
    return told


def _who(who: Mapping[str, Any], joined: int, room: str) -> dict[str, Any]:
    kind = who.get("kind", "STANDARD")
    return {"sid": who["sid"], "identity": who["identity"], "kind": kind, "joined": joined, "room": room}
