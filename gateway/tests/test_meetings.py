"""Opening, finding and ending meetings, and letting people in."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from roomscribe_common.errors import ProblemError

from .conftest import SECRET, Gateway, MakeSettings, Serve, Until
from .meetings import (
    START,
    FakeDispatcher,
    Publisher,
    delayed,
    ended,
    failed,
    joined,
    left,
    renamed,
    requested,
    started,
)


async def test_a_meeting_is_opened_by_one_question_to_the_dispatcher(
    gateway: Gateway, dispatcher: FakeDispatcher
) -> None:
    body = {
        "room": "Raum 7 / groß",
        "title": "Planning",
        "mode": "listen",
        "language": "de-AT",
        "keyterms": ["Roomscribe"],
        "metadata": {"ticket": "42"},
    }
    response = await gateway.client.post("/v1/meetings", json=body)
    assert response.status_code == 201, response.text
    meeting = response.json()
    assert response.headers["location"] == meeting["links"]["self"] == f"/v1/meetings/{meeting['id']}"
    assert {key: meeting[key] for key in body} == body
    assert meeting["state"] == "dispatching"
    (command,) = dispatcher.asked
    assert (command.tenant, command.spec.meeting_id, command.spec.room) == ("acme", meeting["id"], body["room"])


async def test_a_meeting_is_found_at_once_after_it_was_opened(gateway: Gateway, dispatcher: FakeDispatcher) -> None:
    for number in range(20):
        opened = (await gateway.client.post("/v1/meetings", json={"room": f"room {number}"})).json()
        found = await gateway.client.get(opened["links"]["self"])
        assert found.status_code == 200, found.text
        assert {key: found.json()[key] for key in opened} == opened


async def test_opening_a_meeting_does_not_touch_the_database(
    gateway: Gateway, dispatcher: FakeDispatcher, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "archive.db")) as other:
        for (table,) in other.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            other.execute(f"DROP TABLE {table}")
    response = await gateway.client.post("/v1/meetings", json={"room": "planning"})
    assert response.status_code == 201
    assert (await gateway.client.get("/v1/meetings")).status_code == 503


async def test_the_same_key_and_body_open_one_meeting(gateway: Gateway, dispatcher: FakeDispatcher) -> None:
    headers = {"Idempotency-Key": "order-17"}
    body = {"room": "planning", "join_at": "2030-01-01T10:00:00+02:00"}
    answers = [await gateway.client.post("/v1/meetings", json=body, headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert answers[0].json() == answers[1].json() == answers[2].json()


async def test_the_same_key_with_another_body_is_refused(gateway: Gateway, dispatcher: FakeDispatcher) -> None:
    headers = {"Idempotency-Key": "order-17"}
    first = await gateway.client.post("/v1/meetings", json={"room": "planning"}, headers=headers)
    second = await gateway.client.post("/v1/meetings", json={"room": "planning", "title": "Other"}, headers=headers)
    assert (first.status_code, second.status_code) == (201, 409)
    assert first.json()["id"] in second.json()["detail"]
    other_tenant = await gateway.globex.post("/v1/meetings", json={"room": "planning"}, headers=headers)
    assert other_tenant.status_code == 201


async def test_a_room_that_is_attended_gets_no_second_agent(gateway: Gateway, dispatcher: FakeDispatcher) -> None:
    first = await gateway.client.post("/v1/meetings", json={"room": "planning"}, headers={"Idempotency-Key": "a"})
    second = await gateway.client.post("/v1/meetings", json={"room": "planning"}, headers={"Idempotency-Key": "b"})
    third = await gateway.client.post("/v1/meetings", json={"room": "planning"})
    assert [r.status_code for r in (first, second, third)] == [201, 200, 200]
    assert first.json()["id"] == second.json()["id"] == third.json()["id"]


async def test_a_dispatcher_that_does_not_run_is_503_with_retry_after(gateway: Gateway) -> None:
    response = await gateway.client.post("/v1/meetings", json={"room": "planning"})
    assert response.status_code == 503
    assert response.headers["retry-after"] == "2"
    assert response.headers["content-type"] == "application/problem+json"
    assert "dispatcher" in response.json()["detail"]


async def test_a_dispatcher_that_does_not_answer_is_503_in_time(gateway: Gateway, dispatcher: FakeDispatcher) -> None:
    dispatcher.silent = asyncio.Event()
    response = await gateway.client.post("/v1/meetings", json={"room": "planning"})
    dispatcher.silent.set()
    assert response.status_code == 503
    assert response.headers["retry-after"] == "2"
    assert "1 seconds" in response.json()["detail"]


async def test_a_refusal_of_the_dispatcher_reaches_the_caller(gateway: Gateway, dispatcher: FakeDispatcher) -> None:
    refusal = ProblemError.of("concurrency-limit", 429, "Too many meetings", "acme may attend 2 meetings at once.")
    told = {"scope": "tenant", "limit": 2, "used": 2, "retry_after_s": 17}
    dispatcher.refuse = ProblemError(refusal.problem.model_copy(update=told))
    response = await gateway.client.post("/v1/meetings", json={"room": "planning"})
    assert response.status_code == 429
    assert response.headers["retry-after"] == "17"
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert {name: document[name] for name in told} == told
    assert document["detail"] == "acme may attend 2 meetings at once."
    dispatcher.refuse = ProblemError.of("room-taken", 409, "The room is taken", "Try another.")
    assert not told.keys() & (await gateway.client.post("/v1/meetings", json={"room": "planning"})).json().keys()


async def test_a_meeting_shows_its_state_and_why(gateway: Gateway, publisher: Publisher, until: Until) -> None:
    await publisher(requested("m1", metadata={"a": "b"}))
    found = await until.get(gateway.client, "/v1/meetings/m1", lambda r: r.json().get("state") == "dispatching")
    assert found.json()["metadata"] == {"a": "b"}
    await publisher(started("m1"))
    found = await until.get(gateway.client, "/v1/meetings/m1", lambda r: r.json()["state"] == "live")
    assert found.json()["started_at"] == "2026-11-22T10:00:00.123000Z"
    await publisher(ended("m1"))
    found = await until.get(gateway.client, "/v1/meetings/m1", lambda r: r.json()["state"] == "ended")
    assert found.json()["reason"] == "requested"
    await publisher(failed("m2"))
    found = await until.get(gateway.client, "/v1/meetings/m2", lambda r: r.status_code == 200)
    assert (found.json()["state"], found.json()["reason"]) == ("failed", "no_agent")
    assert found.json()["detail"] == "No node took the job."


async def test_a_meeting_says_why_it_waits_and_how_late_it_began(
    gateway: Gateway, publisher: Publisher, until: Until
) -> None:
    await publisher(requested("m1", join_at=START, started_at=None), delayed("m1", "room_taken"))
    found = await until.get(gateway.client, "/v1/meetings/m1", lambda r: r.json().get("late_reason") is not None)
    assert (found.json()["late_reason"], found.json()["late_ms"]) == ("room_taken", None)
    await publisher(started("m1", late_ms=90_000, late_reason="room_taken"))
    found = await until.get(gateway.client, "/v1/meetings/m1", lambda r: r.json()["state"] == "live")
    assert (found.json()["late_reason"], found.json()["late_ms"]) == ("room_taken", 90_000)
    await publisher(requested("m2"), started("m2"))
    found = await until.get(gateway.client, "/v1/meetings/m2", lambda r: r.json().get("state") == "live")
    assert (found.json()["late_reason"], found.json()["late_ms"]) == (None, None)


async def test_people_are_let_into_a_scheduled_meeting_shortly_before_its_time(
    gateway: Gateway, publisher: Publisher
) -> None:
    now = datetime.now(UTC)
    later, soon = now + timedelta(hours=2), now + timedelta(minutes=14)
    await publisher(requested("m1", join_at=later, started_at=None), requested("m2", join_at=soon, started_at=None))
    early = await gateway.client.post("/v1/meetings/m1/tokens", json={"identity": "bob"})
    assert (early.status_code, early.json()["type"]) == (409, "urn:roomscribe:problem:too-early")
    assert "900 seconds before" in early.json()["detail"]
    assert 6200 < int(early.headers["retry-after"]) <= 6300
    assert (await gateway.client.post("/v1/meetings/m2/tokens", json={"identity": "bob"})).status_code == 201


async def test_a_scheduled_meeting_that_is_ended_is_over_at_once(
    gateway: Gateway, dispatcher: FakeDispatcher, publisher: Publisher
) -> None:
    await publisher(requested("m1", join_at=datetime.now(UTC) + timedelta(hours=2), started_at=None))
    dispatcher.on_end = lambda command: publisher(ended(command.meeting_id, reason="cancelled"))
    response = await gateway.client.post("/v1/meetings/m1/end")
    assert (response.status_code, response.json()["state"]) == (202, "ended")


async def test_the_roster_has_every_presence_under_its_latest_name(
    gateway: Gateway, publisher: Publisher, until: Until
) -> None:
    await publisher(requested("m1"), joined("m1"), renamed("m1", "Countess", 9), renamed("m1", "Early name", 2))
    await publisher(left("m1"), joined("m1", "PA_2"))
    path = "/v1/meetings/m1"
    found = await until.get(gateway.client, path, lambda r: len(r.json().get("participants", [])) == 2)
    first, second = found.json()["participants"]
    # Leaving tells the name once more, a minute later.
    assert (first["name"], first["left_at"]) == ("Ada Lovelace", "2026-11-22T10:01:00.123000Z")
    assert (second["identity"], second["kind"], second["left_at"]) == ("ada", "standard", None)


async def test_the_list_goes_page_by_page_without_hole_or_repeat(
    gateway: Gateway, publisher: Publisher, until: Until
) -> None:
    ids = [f"mtg_{number:03}" for number in range(7)]
    await publisher(*(requested(id, room="a" if number % 2 else "b") for number, id in enumerate(ids)))
    await publisher(requested("mtg_secret", tenant="globex"), started(ids[0]), ended(ids[1]), failed(ids[2]))
    await until.get(gateway.client, "/v1/meetings?state=failed", lambda r: len(r.json()["meetings"]) == 1)
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await gateway.client.get(f"/v1/meetings?limit=3{cursor}")).json()
        seen += [meeting["id"] for meeting in page["meetings"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ids[::-1]
    by_room = (await gateway.client.get("/v1/meetings?room=a")).json()["meetings"]
    assert [meeting["id"] for meeting in by_room] == [ids[5], ids[3], ids[1]]


@pytest.mark.parametrize("state", ["scheduled", "dispatching", "live", "ended", "failed"])
async def test_the_list_filters_by_the_state_it_shows(
    gateway: Gateway, publisher: Publisher, until: Until, state: str
) -> None:
    await publisher(
        requested("m-scheduled", join_at="2099-01-01T00:00:00Z", started_at=None),
        requested("m-dispatching", join_at=START),
    )
    await publisher(requested("m-live"), started("m-live"), requested("m-failed"), failed("m-failed"))
    await publisher(requested("m-ended"), started("m-ended"), ended("m-ended"))
    await until.get(gateway.client, "/v1/meetings/m-ended", lambda r: r.json().get("state") == "ended")
    found = (await gateway.client.get(f"/v1/meetings?state={state}")).json()["meetings"]
    assert [(meeting["id"], meeting["state"]) for meeting in found] == [(f"m-{state}", state)]


async def test_ending_a_meeting_asks_the_dispatcher_unless_it_is_over(
    gateway: Gateway, dispatcher: FakeDispatcher, publisher: Publisher, until: Until
) -> None:
    await publisher(requested("m1"), started("m1"))
    response = await gateway.client.post("/v1/meetings/m1/end")
    assert response.status_code == 202, response.text
    assert [(command.tenant, command.meeting_id) for command in dispatcher.ended] == [("acme", "m1")]
    await publisher(ended("m1"))
    await until.get(gateway.client, "/v1/meetings/m1", lambda r: r.json()["state"] == "ended")
    assert (await gateway.client.post("/v1/meetings/m1/end")).json()["state"] == "ended"
    assert len(dispatcher.ended) == 1


async def test_a_person_gets_a_token_for_the_meetings_room_only(gateway: Gateway, publisher: Publisher) -> None:
    await publisher(requested("m1", room="Raum 7"))
    response = await gateway.client.post("/v1/meetings/m1/tokens", json={"identity": "bob", "name": "Bob B."})
    assert response.status_code == 201, response.text
    made = response.json()
    claims = jwt.decode(made["token"], SECRET, algorithms=["HS256"], issuer="testkey")
    assert (claims["sub"], claims["name"], made["url"]) == ("bob", "Bob B.", "ws://127.0.0.1:7880")
    assert claims["video"]["room"] == made["room"] == "Raum 7"
    assert claims["video"]["roomJoin"] is True
    assert "roomAdmin" not in claims["video"]


async def test_nobody_gets_a_token_for_a_meeting_that_is_over(
    gateway: Gateway, publisher: Publisher, until: Until
) -> None:
    await publisher(requested("m1"), ended("m1"), requested("m2"), failed("m2"))
    await until.get(gateway.client, "/v1/meetings/m2", lambda r: r.json().get("state") == "failed")
    for meeting, state in (("m1", "ended"), ("m2", "failed")):
        response = await gateway.client.post(f"/v1/meetings/{meeting}/tokens", json={"identity": "bob"})
        assert response.status_code == 409
        assert f"is {state}" in response.json()["detail"]


async def test_nobody_gets_the_agents_identity(gateway: Gateway, publisher: Publisher) -> None:
    await publisher(requested("m1"))
    response = await gateway.client.post("/v1/meetings/m1/tokens", json={"identity": "roomscribe-m1"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "identity"


async def test_without_livekit_reading_works_and_the_rest_says_so(
    serve: Serve, make_settings: MakeSettings, publisher: Publisher
) -> None:
    await publisher(requested("m1"))
    async with serve(make_settings(livekit_url="", livekit_api_key="", livekit_api_secret="")) as gateway:
        assert (await gateway.client.get("/v1/meetings/m1")).status_code == 200
        for path, body in (("", {"room": "a"}), ("/m1/tokens", {"identity": "bob"})):
            response = await gateway.client.post(f"/v1/meetings{path}", json=body)
            assert response.status_code == 503
            assert "ROOMSCRIBE_LIVEKIT_URL" in response.json()["detail"]
        assert (await gateway.anonymous.post("/livekit/webhook", content=b"{}")).status_code == 503


async def test_tenants_never_meet(gateway: Gateway, publisher: Publisher, dispatcher: FakeDispatcher) -> None:
    await publisher(requested("m1"), started("m1"))
    parts = ("", "/transcript", "/transcript?format=vtt", "/minutes", "/usage", "/events")
    for part in parts:
        response = await gateway.globex.get(f"/v1/meetings/m1{part}")
        assert response.status_code == 404, (part, response.text)
        unknown = await gateway.globex.get(f"/v1/meetings/m9{part}")
        assert response.json() == {**unknown.json(), "detail": unknown.json()["detail"].replace("m9", "m1")}
    for part, body in (("/end", None), ("/tokens", {"identity": "eve"})):
        response = await gateway.globex.post(f"/v1/meetings/m1{part}", json=body)
        assert response.status_code == 404
    assert dispatcher.ended == []
    assert (await gateway.globex.get("/v1/meetings")).json()["meetings"] == []


async def test_two_tenants_may_have_meetings_of_the_same_id(
    gateway: Gateway, publisher: Publisher, until: Until
) -> None:
    await publisher(requested("m1", room="of acme"), requested("m1", tenant="globex", room="of globex"))
    await until.get(gateway.globex, "/v1/meetings/m1", lambda r: r.status_code == 200)
    assert (await gateway.client.get("/v1/meetings/m1")).json()["room"] == "of acme"
    assert (await gateway.globex.get("/v1/meetings/m1")).json()["room"] == "of globex"
