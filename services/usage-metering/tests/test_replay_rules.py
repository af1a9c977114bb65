"""Line by line: what evidence looks like, what it comes to, and what is refused."""

import hashlib
import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from livekit.protocol.models import ParticipantInfo
from livekit.protocol.webhook import WebhookEvent
from roomscribe_usage_metering.replay.replaying import Bad, Replay

from .worlds import Line, as_file, replayed

# As livekit-server sends it (protojson): camel case, 64-bit numbers as text, defaults left out.
LEFT: dict[str, Any] = {
    "event": "participant_left",
    "room": {
        "sid": "RM_9dKq2sWmX7pL",
        "name": "planning",
        "emptyTimeout": 300,
        "departureTimeout": 20,
        "creationTime": "1795000000",
        "creationTimeMs": "1795000000123",
        "enabledCodecs": [{"mime": "audio/opus"}],
        "numParticipants": 1,
    },
    "participant": {
        "sid": "PA_anna",
        "identity": "anna",
        "state": "DISCONNECTED",
        "joinedAt": "1795000001",
        "joinedAtMs": "1795000001250",
        "name": "Anna",
        "version": 3,
        "permission": {"canSubscribe": True, "canPublish": True},
        "disconnectReason": "CLIENT_INITIATED",
    },
    "id": "EV_pXn4zk2sT9aB",
    "createdAt": "1795000071",
}
SNAKE: dict[str, Any] = {
    "event": "participant_left",
    "room": {"sid": "RM_9dKq2sWmX7pL", "name": "planning"},
    "participant": {"sid": "PA_anna", "identity": "anna", "kind": 0, "joined_at_ms": 1795000001250, "joined_at": None},
    "id": "EV_pXn4zk2sT9aB",
    "created_at": 1795000071,
}
BEAT: dict[str, Any] = {
    "job_id": "job_1",
    "epoch": 1,
    "seq": 4,
    "room_sid": "RM_1",
    "participant_sid": "PA_agent",
    "connected_at_ms": 1795000000000,
    "uptime_ms": 60001,
    "counters": {"stt_ms": 1200},
    "final": False,
}
POLL: dict[str, Any] = {
    "room_sid": "RM_1",
    "at_ms": 1795000030000,
    "participants": [{"sid": "PA_bo", "identity": "bo", "kind": "STANDARD", "joined_at_ms": 1795000000000}],
}


def beat(**changes: Any) -> Line:
    return {"heartbeat": BEAT | changes}


def left(sid: str = "PA_anna", at_s: int = 1795000071, **who: Any) -> Line:
    participant = LEFT["participant"] | {"sid": sid, "identity": sid.lower()} | who
    return {"livekit": LEFT | {"participant": participant, "createdAt": str(at_s)}}


def finished(at_s: int, room: str = "RM_1") -> Line:
    return {"livekit": {"event": "room_finished", "room": {"sid": room}, "createdAt": str(at_s)}}


@pytest.mark.parametrize("body", [LEFT, SNAKE], ids=["as LiveKit sends it", "in the proto's own names"])
def test_a_leave_alone_rebuilds_the_connection(body: dict[str, Any]) -> None:
    ledger = replayed([{"livekit": body}])
    assert ledger["connections"] == [
        {
            "room_sid": "RM_9dKq2sWmX7pL",
            "participant_sid": "PA_anna",
            "identity": "anna",
            "kind": "STANDARD",
            "start_ms": 1795000001250,
            "end_ms": 1795000071000,
            "end_basis": "left",
            "minutes": 2,
        }
    ]
    assert ledger["agent_sessions"] == []


@pytest.mark.parametrize("own_names", [False, True])
@pytest.mark.parametrize("numbers", [False, True])
@pytest.mark.parametrize("defaults", [False, True])
def test_whatever_protobuf_makes_of_a_webhook_is_understood(own_names: bool, numbers: bool, defaults: bool) -> None:
    who = ParticipantInfo(sid="PA_1", identity="bo", kind=ParticipantInfo.AGENT, joined_at_ms=1795000001250)
    event = WebhookEvent(event="participant_left", id="EV_1", created_at=1795000071, participant=who)
    event.room.sid = "RM_1"
    body = MessageToDict(
        event,
        preserving_proto_field_name=own_names,
        use_integers_for_enums=numbers,
        always_print_fields_with_no_presence=defaults,
    )
    [connection] = replayed([{"livekit": body}])["connections"]
    assert (connection["kind"], connection["start_ms"], connection["end_ms"]) == ("AGENT", 1795000001250, 1795000071000)


def test_a_heartbeat_alone_is_a_session() -> None:
    assert replayed([beat()])["agent_sessions"] == [
        {
            "job_id": "job_1",
            "participant_sid": "PA_agent",
            "start_ms": 1795000000000,
            "end_ms": 1795000060001,
            "minutes": 2,
        }
    ]


def test_nothing_comes_of_nothing() -> None:
    nothing = hashlib.sha256().hexdigest()
    assert replayed([]) == {"connections": [], "agent_sessions": [], "digest": nothing}


def test_the_digest_is_over_the_rows_as_they_are_printed() -> None:
    ledger = replayed([{"livekit": LEFT}, beat(), {"poll": POLL}])
    rows = [*ledger["connections"], *ledger["agent_sessions"]]
    text = "".join(json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n" for row in rows)
    assert ledger["digest"] == hashlib.sha256(text.encode()).hexdigest()
    assert list(ledger) == ["connections", "agent_sessions", "digest"]


@pytest.mark.parametrize(
    ("lasted_ms", "minutes"), [(1, 1), (10_000, 1), (60_000, 1), (60_001, 2), (70_000, 2), (10**12, 16_666_667)]
)
def test_minutes_are_started_ones(lasted_ms: int, minutes: int) -> None:
    [session] = replayed([beat(uptime_ms=lasted_ms)])["agent_sessions"]
    assert session["minutes"] == minutes
    start_ms = 1795000071000 - lasted_ms
    if start_ms > 0:
        [connection] = replayed([left(joinedAtMs=str(start_ms))])["connections"]
        assert connection["minutes"] == minutes


@pytest.mark.parametrize("kind", ["STANDARD", "AGENT", 0, 4, None])
def test_people_and_agents_are_billed(kind: str | int | None) -> None:
    assert _connections_of(kind) == (1, 1)


@pytest.mark.parametrize("kind", ["SIP", "EGRESS", "INGRESS", "BRIDGE", "CONNECTOR", 1, 2, 3, 7, 8, 99])
def test_who_is_metered_elsewhere_or_unknown_is_not_billed(kind: str | int) -> None:
    assert _connections_of(kind) == (0, 0)


def _connections_of(kind: str | int | None) -> tuple[int, int]:
    poll = POLL | {"participants": [POLL["participants"][0] | {"kind": kind}]}
    return len(replayed([left(kind=kind)])["connections"]), len(replayed([{"poll": poll}])["connections"])


def test_a_further_kind_is_billed_where_it_is_asked_for() -> None:
    replay = Replay(frozenset({"STANDARD", "AGENT", "BRIDGE"}))
    assert list(replay.read(as_file([left(kind="BRIDGE")]))) == []
    assert [one.kind for one in replay.connections()] == ["BRIDGE"]


@pytest.mark.parametrize("connected", [None, 0])
def test_an_agent_that_never_connected_has_no_session(connected: int | None) -> None:
    assert replayed([beat(connected_at_ms=connected, participant_sid=None, room_sid=None)])["agent_sessions"] == []


def test_an_agent_whose_connection_livekit_aborted_never_connected() -> None:
    aborted = left("PA_agent")
    aborted["livekit"] = aborted["livekit"] | {"event": "participant_connection_aborted"}
    assert replayed([beat(), aborted])["agent_sessions"] == []


def test_a_killed_agent_is_billed_to_its_last_heartbeat_though_livekit_saw_it_for_longer() -> None:
    lines = [beat(uptime_ms=15_000), beat(uptime_ms=30_000), left("PA_agent", 1795000090), finished(1795000095)]
    [session] = replayed(lines)["agent_sessions"]
    assert (session["end_ms"], session["minutes"]) == (1795000030000, 1)


@pytest.mark.parametrize("end", [left("PA_agent", 1795000020), finished(1795000020)], ids=["left", "room finished"])
def test_an_agent_that_livekit_had_given_up_is_billed_to_then(end: Line) -> None:
    [session] = replayed([beat(), end])["agent_sessions"]
    assert (session["end_ms"], session["minutes"]) == (1795000020000, 1)


def test_epochs_of_one_job_are_sessions_of_their_own() -> None:
    second = beat(epoch=2, seq=0, participant_sid="PA_agent2", connected_at_ms=1795000100000, uptime_ms=5_000)
    found = replayed([second, beat(uptime_ms=70_000), beat(uptime_ms=15_000, seq=1)])["agent_sessions"]
    assert [(one["participant_sid"], one["minutes"]) for one in found] == [("PA_agent", 2), ("PA_agent2", 1)]


def test_the_end_of_a_room_the_agent_moved_out_of_does_not_end_its_session() -> None:
    moved = beat(room_sid="RM_2", uptime_ms=90_000)
    told = [beat(uptime_ms=0), moved, finished(1795000001)]
    assert [one["end_ms"] for one in replayed(told)["agent_sessions"]] == [1795000090000]
    told.append(finished(1795000070, "RM_2"))
    assert [one["end_ms"] for one in replayed(told)["agent_sessions"]] == [1795000070000]


def test_one_participant_sid_in_two_rooms_is_two_connections() -> None:
    there = POLL | {"room_sid": "RM_2", "at_ms": 1795000100000}
    found = replayed([{"poll": POLL}, {"poll": there}])["connections"]
    assert [(one["room_sid"], one["end_ms"] - one["start_ms"]) for one in found] == [
        ("RM_1", 30_000),
        ("RM_2", 100_000),
    ]


def test_what_says_nothing_about_use_is_no_error() -> None:
    track = {"event": "track_published", "room": {"sid": "RM_1"}, "track": {"sid": "TR_1"}, "createdAt": "1"}
    egress = {"event": "egress_ended", "egressInfo": {"egressId": "EG_1", "roomId": "RM_1", "endedAt": "1"}}
    assert replayed([{"livekit": track}, {"livekit": egress}])["connections"] == []


BAD = [
    ("{", "EOF"),
    ("[]", "object"),
    ("{}", "expected one of livekit, poll, heartbeat"),
    ('{"webhook": {}}', "webhook: Extra inputs"),
    (json.dumps({"poll": POLL, "heartbeat": BEAT}), "expected one of"),
    (json.dumps({"livekit": LEFT | {"createdAt": "soon"}}), "livekit.createdAt"),
    (json.dumps({"livekit": {k: v for k, v in LEFT.items() if k != "createdAt"}}), "livekit.createdAt"),
    (json.dumps({"livekit": {k: v for k, v in LEFT.items() if k != "participant"}}), "livekit.participant"),
    (json.dumps({"livekit": LEFT | {"room": None}}), "livekit.room.sid"),
    (json.dumps(left(sid="")), "livekit.participant.sid"),
    (json.dumps(left(joinedAtMs=10**30)), "livekit.participant.joinedAtMs: Input should be less than or equal to 100"),
    (json.dumps(left(joinedAtMs=-1)), "livekit.participant.joinedAtMs: Input should be greater than or equal to 0"),
    (json.dumps(left(joinedAtMs=True)), "livekit.participant.joinedAtMs"),
    (json.dumps(beat(uptime_ms=-1)), "heartbeat.uptime_ms: Input should be greater than or equal to 0"),
    (json.dumps(beat(uptime_ms=10**30)), "heartbeat.uptime_ms: Input should be less than or equal to 100"),
    (json.dumps(beat(uptime_ms=float("nan"))), "heartbeat.uptime_ms"),
    (json.dumps(beat(uptime_ms=1.5)), "heartbeat.uptime_ms"),
    (json.dumps(beat(counters={"stt_ms": -1})), "heartbeat.counters.stt_ms: Value error, a counter must be a number"),
    (json.dumps(beat(counters={"stt_ms": float("nan")})), "heartbeat.counters.stt_ms"),
    (
        json.dumps(beat(counters={"stt": {"ms": 1}})),
        "heartbeat.counters.stt: Value error, a counter must not be nested",
    ),
    (json.dumps(beat(counters={"stt": [1]})), "heartbeat.counters.stt: Value error, a counter must not be nested"),
    (json.dumps(beat(participant_sid="")), "heartbeat: Value error, an agent that is connected"),
    (json.dumps({"heartbeat": {k: v for k, v in BEAT.items() if k != "connected_at_ms"}}), "heartbeat.connected_at_ms"),
    (json.dumps({"poll": POLL | {"participants": [{"identity": "bo"}]}}), "poll.participants.0.sid"),
    (json.dumps({"poll": POLL | {"at_ms": "later"}}), "poll.at_ms"),
]


@pytest.mark.parametrize(("line", "why"), BAD)
def test_a_bad_line_is_named_by_number_and_field_and_the_others_count(line: str, why: str) -> None:
    good = json.dumps(beat())
    replay = Replay()
    file = as_file([])
    file.write(f"{good}\n\n{line}\n{json.dumps({'livekit': LEFT})}\n".encode())
    file.seek(0)
    [bad] = replay.read(file)
    assert bad.number == 3
    assert bad.why.startswith(why) or why in bad.why
    assert "soon" not in bad.why
    assert (len(replay.connections()), len(replay.sessions())) == (1, 1)


def test_bytes_that_are_no_text_are_a_bad_line() -> None:
    file = as_file([])
    file.write(b'{"livekit": "\xff\xfe"}\n')
    file.seek(0)
    assert [bad.number for bad in Replay().read(file)] == [1]


def test_a_line_without_end_is_not_held_in_memory() -> None:
    file = as_file([])
    file.write(b"x" * 5_000 + b"\n" + json.dumps(beat()).encode() + b"\n" + b"y" * 1_500)
    file.seek(0)
    replay = Replay()
    why = "longer than 1000 bytes"
    assert list(replay.read(file, longest_bytes=1_000)) == [Bad(1, why), Bad(3, why)]
    assert len(replay.sessions()) == 1


def test_a_file_may_begin_with_a_byte_order_mark_and_end_its_lines_as_windows_does() -> None:
    file = as_file([])
    file.write(b"\xef\xbb\xbf" + json.dumps(beat()).encode() + b"\r\n")
    file.seek(0)
    replay = Replay()
    assert list(replay.read(file)) == []
    assert len(replay.sessions()) == 1
