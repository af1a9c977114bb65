"""Bad input is refused with a problem document that names the field and the limit."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing

import httpx
import pytest

from .conftest import ACME, Gateway, MakeSettings, Serve
from .meetings import FakeDispatcher, Publisher, requested

CALLS = [
    ("POST", "/v1/meetings"),
    ("GET", "/v1/meetings"),
    ("GET", "/v1/meetings/m1"),
    ("POST", "/v1/meetings/m1/end"),
    ("POST", "/v1/series"),
    ("GET", "/v1/series"),
    ("GET", "/v1/series/s1"),
    ("POST", "/v1/series/s1/end"),
    ("POST", "/v1/meetings/m1/tokens"),
    ("GET", "/v1/meetings/m1/transcript"),
    ("GET", "/v1/meetings/m1/events"),
    ("GET", "/v1/meetings/m1/minutes"),
    ("GET", "/v1/meetings/m1/usage"),
    ("GET", "/v1/usage?period=2026-11"),
    ("GET", "/v1/usage/forecast"),
    ("GET", "/v1/invoices/2026-11"),
    ("GET", "/v1/invoices/2026-11/lines/l1"),
    ("POST", "/v1/invoices/2026-11/compare"),
    ("GET", "/v1/meetings/m1/usage/lines/l1"),
    ("POST", "/v1/meetings/m1/usage/compare"),
    ("POST", "/v1/estimates"),
    ("POST", "/v1/cost-model"),
]
GOOD_BODIES = {"tokens": {"identity": "bob"}, "compare": {"meetings": 1, "minutes": 45, "humans": 5}}
PER_MEETING = [(method, path) for method, path in CALLS if "m1" in path]


def problem(response: httpx.Response, status: int) -> dict[str, str]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == status
    assert document["type"].startswith("urn:roomscribe:problem:")
    assert document["title"]
    assert document["detail"]
    return {error["field"]: error["detail"] for error in document["errors"]} | {"": document["detail"]}


async def test_a_call_without_a_key_is_told_how_to_send_one(gateway: Gateway) -> None:
    for method, path in CALLS:
        # Whoever may not ask is not told what else is wrong either.
        response = await gateway.anonymous.request(method, path, content=b"{not json")
        assert "Authorization: Bearer <key>" in problem(response, 401)[""]
        assert response.headers["www-authenticate"].startswith("Bearer")


async def test_a_wrong_key_is_refused(gateway: Gateway) -> None:
    wrong = ("Bearer wrong-key-1", "Bearer", "Basic a2V5", "key-of-acme-1", "Bearer key-of-acme-1x", "Bearer \xe9")
    for value in wrong:
        response = await gateway.anonymous.get("/v1/meetings", headers=[(b"Authorization", value.encode("latin-1"))])
        problem(response, 401)
        assert "key-of" not in response.text


async def test_either_key_of_a_tenant_works_and_the_scheme_in_any_case(gateway: Gateway) -> None:
    for value in ("Bearer key-of-acme-2", "bearer key-of-acme-1"):
        assert (await gateway.anonymous.get("/v1/meetings", headers={"Authorization": value})).status_code == 200


@pytest.mark.parametrize("id", ["a.b", "*", "%3E", "a%20b", "x" * 300, "%00", "m%C3%B6", "$JS"])
async def test_an_unsafe_meeting_id_is_refused_by_its_limit(gateway: Gateway, id: str) -> None:
    for method, path in PER_MEETING:
        body = GOOD_BODIES.get(path.rpartition("/")[2])
        response = await gateway.client.request(method, path.replace("m1", id), json=body)
        assert problem(response, 422)["meeting_id"] == "1 to 64 letters, digits, '_' or '-'"


async def test_an_unknown_meeting_is_404(gateway: Gateway) -> None:
    for method, path in PER_MEETING:
        body = GOOD_BODIES.get(path.rpartition("/")[2])
        response = await gateway.client.request(method, path, json=body)
        assert problem(response, 404)[""] == "There is no meeting m1."


BODIES: list[tuple[object, str, str]] = [
    ({}, "room", "Field required"),
    ({"room": ""}, "room", "at least 1 character"),
    ({"room": "x" * 257}, "room", "at most 256 characters"),
    ({"room": "a\nb"}, "room", "control characters"),
    ({"room": "a\x00"}, "room", "control characters"),
    ({"room": 5}, "room", "valid string"),
    ({"room": "a", "titel": "x"}, "titel", "unknown field"),
    ({"room": "a", "meeting_id": "mine"}, "meeting_id", "unknown field"),
    ({"room": "a", "tenant": "globex"}, "tenant", "unknown field"),
    ({"room": "a", "title": "x" * 513}, "title", "at most 512 characters"),
    ({"room": "a", "mode": "spy"}, "mode", "'listen' or 'copilot'"),
    ({"room": "a", "join_at": "tomorrow"}, "join_at", "valid datetime"),
    ({"room": "a", "join_at": "2026-11-22T10:00:00"}, "join_at", "timezone"),
    ({"room": "a", "language": "x" * 36}, "language", "pattern"),
    ({"room": "a", "keyterms": ["x" * 129]}, "keyterms.0", "at most 128 characters"),
    ({"room": "a", "keyterms": ["x"] * 101}, "keyterms", "at most 100 items"),
    ({"room": "a", "metadata": {"k": "x" * 1025}}, "metadata.k", "at most 1024 characters"),
    ({"room": "a", "metadata": {"k": 5}}, "metadata.k", "valid string"),
    ({"room": "a", "metadata": {str(n): "" for n in range(51)}}, "metadata", "at most 50 items"),
]


async def test_a_refused_field_is_named_with_its_limit(gateway: Gateway, dispatcher: FakeDispatcher) -> None:
    for body, field, limit in BODIES:
        response = await gateway.client.post("/v1/meetings", json=body)
        assert limit in problem(response, 422)[field], body
    assert dispatcher.asked == []


SERIES: list[tuple[dict[str, object], str, str]] = [
    ({"join_at": None}, "join_at", "valid datetime"),
    ({"join_at": "2026-11-30T09:30:00"}, "join_at", "timezone"),
    ({"recurrence": ""}, "recurrence", "at least 1 character"),
    ({"recurrence": "x" * 501}, "recurrence", "at most 500 characters"),
    ({"recurrence": "FREQ=DAILY\nEXDATE:20261201T090000Z"}, "recurrence", "control characters"),
    ({"time_zone": "x" * 65}, "time_zone", "at most 64 characters"),
    ({"meeting_id": "mine"}, "meeting_id", "unknown field"),
    ({"mode": "spy"}, "mode", "'listen' or 'copilot'"),
]


async def test_a_refused_field_of_a_series_is_named_with_its_limit(
    gateway: Gateway, dispatcher: FakeDispatcher
) -> None:
    good = {
        "room": "a",
        "join_at": "2026-11-30T09:30:00+01:00",
        "recurrence": "FREQ=DAILY",
        "time_zone": "Europe/Vienna",
    }
    for changes, field, limit in SERIES:
        response = await gateway.client.post("/v1/series", json=good | changes)
        assert limit in problem(response, 422)[field], changes
    for missing in ("room", "join_at", "recurrence", "time_zone"):
        body = {name: value for name, value in good.items() if name != missing}
        assert problem(await gateway.client.post("/v1/series", json=body), 422)[missing] == "Field required"
    assert dispatcher.series == {}


MALFORMED = [
    (b"{", "at character 1"),
    (b"", "at character 0"),
    (b'{"room": NaN}', "NaN is not a JSON value"),
    (b'{"room": "a", "title": Infinity}', "Infinity is not a JSON value"),
    (b'{"room": "a", "room": "b"}', "occurs twice"),
    (b'\xff\xfe{"room"', "not UTF-8"),
    (b"[" * 100_000, "nested too deeply"),
    (b'{"room": ' + b"1" * 5000 + b"}", "is not JSON"),
]


async def test_malformed_json_is_refused_and_says_where(gateway: Gateway, dispatcher: FakeDispatcher) -> None:
    headers = {"Content-Type": "application/json"}
    for content, why in MALFORMED:
        response = await gateway.client.post("/v1/meetings", content=content, headers=headers)
        assert why in problem(response, 400)[""], content[:80]
    assert dispatcher.asked == []


async def test_json_that_is_no_object_is_refused(gateway: Gateway) -> None:
    headers = {"Content-Type": "application/json"}
    for body in ("[]", "null", '"room"', "5"):
        problem(await gateway.client.post("/v1/meetings", content=body, headers=headers), 422)


async def test_a_body_that_is_not_declared_as_json_is_refused(gateway: Gateway) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml", ""):
        headers = {"Content-Type": kind}
        response = await gateway.client.post("/v1/meetings", content=b'{"room": "a"}', headers=headers)
        assert "Content-Type: application/json" in problem(response, 415)[""]


async def _endless() -> AsyncIterator[bytes]:
    for _ in range(300):
        yield b" " * 1024


@pytest.mark.parametrize("path", ["/v1/meetings", "/livekit/webhook"])
async def test_a_body_that_is_too_large_is_refused_by_its_limit(gateway: Gateway, path: str) -> None:
    headers = {"Content-Type": "application/json"}
    response = await gateway.client.post(path, content=b" " * 300_000, headers=headers)
    assert "262144 bytes" in problem(response, 413)[""]
    response = await gateway.client.post(path, content=_endless(), headers=headers)
    assert "262144 bytes" in problem(response, 413)[""]


PARAMETERS = [
    ("/v1/meetings/m1/transcript?format=pdf", "format", "'json', 'txt', 'md', 'vtt', 'srt', 'docx' or 'csv'"),
    ("/v1/meetings/m1/transcript?fromat=vtt", "fromat", "this address knows format"),
    ("/v1/meetings?limit=0", "limit", "greater than or equal to 1"),
    ("/v1/meetings?limit=201", "limit", "less than or equal to 200"),
    ("/v1/meetings?limit=many", "limit", "valid integer"),
    ("/v1/meetings?state=sleeping", "state", "'scheduled'"),
    ("/v1/meetings?cursor=a.b", "cursor", "1 to 64 letters"),
    ("/v1/meetings?room=" + "x" * 257, "room", "at most 256 characters"),
    ("/v1/meetings?room=%00", "room", "match pattern"),
    ("/v1/meetings?series=a.b", "series", "1 to 64 letters"),
    ("/v1/series?limit=0", "limit", "greater than or equal to 1"),
    ("/v1/series/a.b", "series_id", "1 to 64 letters"),
    ("/v1/meetings/m1?x=1", "x", "this address knows none"),
    ("/v1/usage", "period", "Field required"),
    ("/v1/usage?period=2026-13", "period", "match pattern"),
    ("/v1/usage/forecast?period=november", "period", "match pattern"),
    ("/v1/invoices/2026-13", "period", "match pattern"),
    ("/v1/invoices/2026-11?format=docx", "format", "'json', 'csv' or 'pdf'"),
    ("/v1/invoices/2026-11?cursor=a.b", "cursor", "1 to 64 letters"),
    ("/v1/invoices/2026-11?format=csv&cursor=m1", "cursor", "only JSON comes in pages"),
    ("/v1/invoices/2026-11/lines/" + "x" * 301, "line_id", "at most 300 characters"),
    ("/v1/invoices/2026-11/lines/a%00b", "line_id", "match pattern"),
    ("/v1/meetings/m1/usage/lines/l1?cursor=" + "x" * 301, "cursor", "at most 300 characters"),
]


async def test_a_refused_parameter_is_named_with_its_limit(gateway: Gateway, publisher: Publisher) -> None:
    await publisher(requested("m1"))
    for path, field, limit in PARAMETERS:
        assert limit in problem(await gateway.client.get(path), 422)[field], path


async def test_an_idempotency_key_has_a_limit(gateway: Gateway) -> None:
    for key in ("", "x" * 201, "two words"):
        response = await gateway.client.post("/v1/meetings", json={"room": "a"}, headers={"Idempotency-Key": key})
        assert "Idempotency-Key" in "".join(problem(response, 422)).title()


async def test_a_token_for_nobody_is_refused(gateway: Gateway, publisher: Publisher) -> None:
    await publisher(requested("m1"))
    bodies: list[tuple[dict[str, object], str]] = [
        ({}, "identity"),
        ({"identity": ""}, "identity"),
        ({"identity": "x" * 257}, "identity"),
        ({"identity": "bob", "name": "x" * 257}, "name"),
        ({"identity": "bob", "admin": True}, "admin"),
    ]
    for body, field in bodies:
        assert field in problem(await gateway.client.post("/v1/meetings/m1/tokens", json=body), 422)


async def test_a_wrong_address_and_a_wrong_method_are_problems_too(gateway: Gateway) -> None:
    assert "/openapi.json" in problem(await gateway.client.get("/v2/meetings"), 404)[""]
    response = await gateway.client.delete("/v1/meetings")
    problem(response, 405)
    assert response.headers["allow"]


async def test_a_fault_of_ours_is_a_problem_without_a_stack_trace(
    serve: Serve, make_settings: MakeSettings, publisher: Publisher, sqlite_url: str
) -> None:
    await publisher(requested("m1"))
    async with serve(make_settings()) as gateway:
        await gateway.client.get("/v1/meetings/m1")
        with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite+aiosqlite:///"))) as other:
            other.execute("DROP TABLE archive_gaps")
        response = await gateway.client.get("/v1/meetings/m1/transcript")
        assert "database" in problem(response, 503)[""]
        assert "Traceback" not in response.text
        assert response.headers["retry-after"]


async def test_no_answer_quotes_what_was_sent(gateway: Gateway) -> None:
    secret = "my-secret-value"
    response = await gateway.client.post("/v1/meetings", json={"room": {"a": secret}, "title": [secret]})
    problem(response, 422)
    assert secret not in json.dumps(response.json())
    assert ACME["Authorization"] not in response.text
