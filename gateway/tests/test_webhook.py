"""LiveKit's webhooks: only its own, only new ones, acknowledged once stored."""

import base64
import hashlib
import json
import time
from datetime import timedelta

import httpx
import pytest
from livekit.api import AccessToken
from nats.aio.client import Client
from roomscribe_common.contracts.livekit import LivekitEvent
from roomscribe_common.pull import BoundJetStream
from roomscribe_common.stored import stored

from .conftest import SECRET, Gateway


def webhook(id: str = "EV_1", *, age_s: float = 0, room: dict[str, object] | None = None) -> bytes:
    room = {"sid": "RM_x1", "name": "Raum 7", "numParticipants": 2} if room is None else room
    event = {"event": "participant_joined", "id": id, "createdAt": str(int(time.time() - age_s)), "room": room}
    return json.dumps(event | {"participant": {"identity": "ada", "somethingNew": True}}).encode()


def signed(body: bytes, *, key: str = "testkey", secret: str = SECRET, ttl_s: float = 300) -> str:
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return AccessToken(key, secret).with_sha256(digest).with_ttl(timedelta(seconds=ttl_s)).to_jwt()


async def send(gateway: Gateway, body: bytes, token: str | None = None) -> httpx.Response:
    headers = {"Authorization": signed(body) if token is None else token, "Content-Type": "application/webhook+json"}
    return await gateway.anonymous.post("/livekit/webhook", content=body, headers=headers)


async def kept(nc: Client) -> list[LivekitEvent]:
    return [LivekitEvent.model_validate_json(m.data) async for m in stored(nc, "LIVEKIT", ">")]


async def test_a_webhook_is_stored_as_it_came_under_livekits_id(gateway: Gateway, nc: Client) -> None:
    body = webhook()
    response = await send(gateway, body)
    assert response.status_code == 200, response.text
    (event,) = await kept(nc)
    assert (event.id, event.subject, event.tenant) == ("EV_1", "livekit.v1.event._.RM_x1", "_")
    assert (event.data.event, event.data.room, event.data.room_sid) == ("participant_joined", "Raum 7", "RM_x1")
    assert event.data.body == json.loads(body)


async def test_the_password_of_a_rooms_turn_servers_is_not_kept(gateway: Gateway, nc: Client) -> None:
    await send(gateway, webhook(room={"sid": "RM_x1", "name": "Raum 7", "turnPassword": "hunter2"}))
    (event,) = await kept(nc)
    assert event.data.body["room"] == {"sid": "RM_x1", "name": "Raum 7"}


async def test_a_webhook_that_comes_twice_is_stored_once(gateway: Gateway, nc: Client) -> None:
    body = webhook()
    assert [(await send(gateway, body)).status_code for _ in range(3)] == [200, 200, 200]
    assert len(await kept(nc)) == 1


async def test_a_webhook_without_a_room_has_its_place(gateway: Gateway, nc: Client) -> None:
    await send(gateway, webhook("EV_2", room={}))
    await send(gateway, webhook("EV_3", room={"sid": "a.b.>", "name": "x"}))
    await send(gateway, webhook(""))
    events = await kept(nc)
    assert [event.subject for event in events] == [
        "livekit.v1.event._._",
        "livekit.v1.event._._",
        "livekit.v1.event._.RM_x1",
    ]
    assert events[2].id.startswith("livekit:")


@pytest.mark.parametrize(
    "flaw", ["no token", "garbage", "other secret", "other key", "other body", "expired", "no hash"]
)
async def test_a_forged_webhook_is_refused_and_not_stored(gateway: Gateway, nc: Client, flaw: str) -> None:
    body = webhook()
    token = {
        "no token": "",
        "garbage": "not.a.jwt",
        "other secret": signed(body, secret="another-secret-of-at-least-32-characters"),
        "other key": signed(body, key="otherkey"),
        "other body": signed(webhook("EV_9")),
        "expired": signed(body, ttl_s=-120),
        "no hash": AccessToken("testkey", SECRET).to_jwt(),
    }[flaw]
    response = await send(gateway, body, token)
    assert response.status_code == 401, response.text
    assert response.json()["type"] == "urn:roomscribe:problem:webhook-forged"
    assert await kept(nc) == []


@pytest.mark.parametrize("age_s", [301, 86_400, -301])
async def test_a_stale_webhook_is_refused(gateway: Gateway, nc: Client, age_s: float) -> None:
    response = await send(gateway, webhook(age_s=age_s))
    assert response.status_code == 401
    assert response.json()["type"] == "urn:roomscribe:problem:webhook-stale"
    assert "5 minutes" in response.json()["detail"]
    assert await kept(nc) == []


async def test_a_number_that_is_none_is_refused_and_what_is_wrong_is_named(gateway: Gateway, nc: Client) -> None:
    nan = b'{"event": "participant_left", "createdAt": "%d", "participant": {"joinedAtMs": NaN}}' % time.time()
    refused = await send(gateway, nan)
    assert (refused.status_code, "NaN or infinite" in refused.json()["detail"]) == (400, True)
    early = await send(gateway, b'{"event": "participant_left", "createdAt": "-1"}')
    assert [error["field"] for error in early.json()["errors"]] == ["createdAt"]
    assert await kept(nc) == []


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff", b'{"event": "x"}', b'{"event": "x", "createdAt": "99999999999999999999"}']
)
async def test_a_signed_body_that_is_no_webhook_is_400(gateway: Gateway, nc: Client, body: bytes) -> None:
    response = await send(gateway, body)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert await kept(nc) == []


async def test_a_webhook_that_cannot_be_stored_is_503_so_that_livekit_sends_it_again(
    gateway: Gateway, nc: Client
) -> None:
    await BoundJetStream(nc).delete_stream("LIVEKIT")
    response = await send(gateway, webhook())
    assert response.status_code == 503
    assert response.headers["retry-after"] == "2"
