"""Opening, finding and ending series."""

from datetime import UTC, datetime, timedelta

from roomscribe_common.contracts.commands import EndSeries

from .conftest import Gateway, Until
from .meetings import FakeDispatcher, Publisher, ended, requested, series_ended, series_requested

BODY: dict[str, object] = {
    "room": "daily",
    "title": "Stand-up",
    "join_at": "2026-11-30T09:30:00+01:00",
    "recurrence": "FREQ=WEEKLY;BYDAY=MO,WE",
    "time_zone": "Europe/Vienna",
    "keyterms": ["Roomscribe"],
    "metadata": {"team": "blue"},
}


async def test_a_series_is_opened_and_found_at_once(gateway: Gateway, dispatcher: FakeDispatcher) -> None:
    response = await gateway.client.post("/v1/series", json=BODY)
    assert response.status_code == 201, response.text
    series = response.json()
    assert response.headers["location"] == series["links"]["self"] == f"/v1/series/{series['id']}"
    assert {key: series[key] for key in BODY} == BODY
    assert series["state"] == "active"
    assert series["next"] == [{"meeting_id": f"mtg_{series['id'][4:]}_1", "join_at": BODY["join_at"]}]
    found = (await gateway.client.get(series["links"]["self"])).json()
    assert {key: found[key] for key in series if key != "next"} == {key: series[key] for key in series if key != "next"}


async def test_the_same_key_opens_one_series_and_no_other_body(gateway: Gateway, dispatcher: FakeDispatcher) -> None:
    headers = {"Idempotency-Key": "order-18"}
    answers = [await gateway.client.post("/v1/series", json=BODY, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    other = await gateway.client.post("/v1/series", json=BODY | {"recurrence": "FREQ=DAILY"}, headers=headers)
    assert (other.status_code, other.json()["type"]) == (409, "urn:roomscribe:problem:idempotency-key-reused")


async def test_a_series_shows_its_next_meetings_and_its_meetings_are_listed(
    gateway: Gateway, publisher: Publisher, until: Until
) -> None:
    now = datetime.now(UTC)
    await publisher(series_requested("ser_1"), requested("mtg_0"))
    for number in (1, 2, 3):
        at = now + timedelta(days=number)
        await publisher(requested(f"mtg_1_{number}", join_at=at, started_at=None, series_id="ser_1"))
    await publisher(ended("mtg_1_2", reason="cancelled"))
    found = await until.get(gateway.client, "/v1/series/ser_1", lambda r: len(r.json().get("next", [])) == 2)
    assert [each["meeting_id"] for each in found.json()["next"]] == ["mtg_1_1", "mtg_1_3"]
    listed = await until.get(
        gateway.client, "/v1/meetings?series=ser_1&state=ended", lambda r: len(r.json()["meetings"]) == 1
    )
    [cancelled] = listed.json()["meetings"]
    assert (cancelled["id"], cancelled["reason"], cancelled["series_id"]) == ("mtg_1_2", "cancelled", "ser_1")
    of_series = (await gateway.client.get("/v1/meetings?series=ser_1")).json()["meetings"]
    assert [each["id"] for each in of_series] == ["mtg_1_3", "mtg_1_2", "mtg_1_1"]


async def test_series_are_listed_page_by_page(gateway: Gateway, publisher: Publisher, until: Until) -> None:
    for number in range(5):
        await publisher(series_requested(f"ser_{number}"))
    await publisher(series_ended("ser_3"), series_requested("ser_secret", "globex"))
    await until.get(gateway.client, "/v1/series", lambda r: "ended" in r.text and len(r.json()["series"]) == 5)
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = (await gateway.client.get(f"/v1/series?limit=2{cursor and '&cursor=' + cursor}")).json()
        seen += [f"{each['id']} {each['state']}" for each in page["series"]]
        cursor = page["next_cursor"]
    assert seen == ["ser_4 active", "ser_3 ended", "ser_2 active", "ser_1 active", "ser_0 active"]


async def test_a_series_is_ended_once(gateway: Gateway, dispatcher: FakeDispatcher, publisher: Publisher) -> None:
    await publisher(series_requested("ser_1"))
    response = await gateway.client.post("/v1/series/ser_1/end")
    assert (response.status_code, response.json()["state"]) == (202, "ended")
    await publisher(series_ended("ser_1"))
    assert (await gateway.client.post("/v1/series/ser_1/end")).status_code == 202
    assert dispatcher.ended_series == [EndSeries(tenant="acme", series_id="ser_1")]
    over = (await gateway.client.get("/v1/series/ser_1")).json()
    assert (over["state"], over["reason"]) == ("ended", "requested")


async def test_a_series_of_another_tenant_does_not_exist(
    gateway: Gateway, dispatcher: FakeDispatcher, publisher: Publisher
) -> None:
    await publisher(series_requested("ser_1"))
    for method, path in (("GET", "/v1/series/ser_1"), ("POST", "/v1/series/ser_1/end")):
        response = await gateway.globex.request(method, path)
        assert (response.status_code, response.json()["detail"]) == (404, "There is no series ser_1.")
    assert (await gateway.globex.get("/v1/series")).json()["series"] == []
    assert dispatcher.ended_series == []
