"""What might have happened in rooms, and everything LiveKit, the poller and the agents would say of it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from hypothesis import strategies as st
from roomscribe_usage_metering.replay.replaying import Replay, json_of

T0 = 1_795_000_000_000
BEAT_MS, POLL_MS = 15_000, 30_000
Line = dict[str, Any]


@dataclass(frozen=True)
class Stay:
    """A connection as somebody with a stopwatch saw it."""

    sid: str
    identity: str
    kind: str
    room: str
    start: int
    end: int

    @property
    def info(self) -> dict[str, str]:
        """As LiveKit's webhooks name whoever it is: defaults are left out, 64-bit numbers are text."""
        kind = {"kind": self.kind} if self.kind != "STANDARD" else {}
        return {"sid": self.sid, "identity": self.identity, "joinedAtMs": str(self.start), **kind}


@dataclass(frozen=True)
class Life:
    """One process of an agent, that left by itself or was killed: the SFU notices later that it is gone."""

    job_id: str
    epoch: int
    stay: Stay
    end: int
    killed: bool


@dataclass(frozen=True)
class World:
    """All of it, in epoch milliseconds."""

    stays: tuple[Stay, ...]
    lives: tuple[Life, ...]
    aborted: tuple[Stay, ...]
    ends: dict[str, int]


LENGTHS = st.one_of(st.integers(1, 200_000), st.sampled_from([1, 10_000, 59_999, 60_000, 60_001, 70_000, 120_000]))
STARTS = st.integers(T0, T0 + 200_000)


@st.composite
def stays(draw: st.DrawFn, sid: str, kinds: tuple[str, ...] = ("STANDARD", "STANDARD", "SIP", "EGRESS")) -> Stay:
    start = draw(STARTS)
    identity, kind = draw(st.sampled_from(["anna", "bo"])), draw(st.sampled_from(kinds))
    return Stay(sid, identity, kind, draw(st.sampled_from(["RM_1", "RM_2"])), start, start + draw(LENGTHS))


@st.composite
def lives(draw: st.DrawFn, job_id: str) -> list[Life]:
    """An agent's epochs, one after the other."""
    found: list[Life] = []
    at = draw(STARTS)
    for epoch in range(1, draw(st.integers(0, 3)) + 1):
        end = at + draw(LENGTHS)
        unnoticed = draw(st.sampled_from([0, 0, 1, 15_000, 20_000]))
        stay = Stay(f"PA_{job_id}_{epoch}", "roomscribe", "AGENT", "RM_1", at, end + unnoticed)
        found.append(Life(job_id, epoch, stay, end, killed=unnoticed > 0))
        at = end + draw(st.integers(1, 60_000))
    return found


@st.composite
def worlds(draw: st.DrawFn) -> World:
    people = [draw(stays(f"PA_{number}")) for number in range(draw(st.integers(0, 4)))]
    agents = [life for job in ("job_1", "job_2") for life in draw(lives(job))]
    aborted = [draw(stays(f"PA_never_{number}")) for number in range(draw(st.integers(0, 2)))]
    every = [*people, *(life.stay for life in agents)]
    rooms = ("RM_1", "RM_2")
    ends = {
        room: max([T0, *(stay.end for stay in every if stay.room == room)]) + draw(st.integers(0, 30_000))
        for room in rooms
    }
    return World(tuple(every), tuple(agents), tuple(aborted), ends)


def second(ms: int) -> int:
    """LiveKit's `createdAt` is cut to the second."""
    return ms // 1000


def hook(event: str, at_ms: int, stay: Stay) -> Line:
    id_ = f"EV_{event}_{stay.sid}"
    room = {"sid": stay.room, "name": "planning", "creationTime": str(second(T0))}
    return {
        "livekit": {"event": event, "room": room, "participant": stay.info, "id": id_, "createdAt": str(second(at_ms))}
    }


def joins(world: World) -> list[Line]:
    return [hook("participant_joined", stay.start, stay) for stay in world.stays]


def leaves(world: World) -> list[Line]:
    return [hook("participant_left", stay.end, stay) for stay in world.stays]


def aborts(world: World) -> list[Line]:
    return [hook("participant_connection_aborted", stay.end, stay) for stay in world.aborted]


def finishes(world: World) -> list[Line]:
    return [
        {"livekit": {"event": "room_finished", "room": {"sid": room}, "createdAt": str(second(at))}}
        for room, at in world.ends.items()
    ]


def polls(world: World) -> list[Line]:
    found: list[Line] = []
    for room, end in world.ends.items():
        for at in range(T0 + POLL_MS, end, POLL_MS):
            present = [_present(stay) for stay in world.stays if stay.room == room and stay.start <= at < stay.end]
            found.append({"poll": {"room_sid": room, "at_ms": at, "participants": present}})
    return found


def _present(stay: Stay) -> dict[str, Any]:
    return {"sid": stay.sid, "identity": stay.identity, "kind": stay.kind, "joined_at_ms": stay.start}


def beats(world: World) -> list[Line]:
    found: list[Line] = []
    for life in world.lives:
        lasted = life.end - life.stay.start
        times = list(range(0, lasted + 1, BEAT_MS))
        found += [beat(life, seq, at) for seq, at in enumerate(times)]
        found += [] if life.killed else [beat(life, len(times), lasted, final=True)]
    return found


def beat(life: Life, seq: int, uptime_ms: int, *, final: bool = False) -> Line:
    return {
        "heartbeat": {
            "job_id": life.job_id,
            "epoch": life.epoch,
            "seq": seq,
            "room_sid": life.stay.room,
            "participant_sid": life.stay.sid,
            "connected_at_ms": life.stay.start,
            "uptime_ms": uptime_ms,
            "counters": {"utterances_opened": seq},
            "final": final,
        }
    }


def everything(world: World) -> list[Line]:
    return [*joins(world), *leaves(world), *aborts(world), *finishes(world), *polls(world), *beats(world)]


def replayed(lines: Iterable[Line]) -> dict[str, Any]:
    """The ledger of those lines, as it is printed. None of them is bad."""
    replay = Replay()
    assert list(replay.read(as_file(lines))) == []
    return json.loads("".join(json_of(replay.connections(), replay.sessions())))


def as_file(lines: Iterable[Line]) -> BytesIO:
    return BytesIO("\n".join(map(json.dumps, lines)).encode())
