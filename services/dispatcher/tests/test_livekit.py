"""The agent's token and the check of LiveKit, on a real server."""

import logging
from datetime import UTC, datetime

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from livekit import api
from roomscribe_common.boundary import one_of_many
from roomscribe_common.contracts.commands import StartMeeting
from roomscribe_common.contracts.meeting import MeetingSpec, Mode
from roomscribe_common.testing.fixtures import Livekit as Server
from roomscribe_dispatcher import domain
from roomscribe_dispatcher.adapters.livekit import Livekit, LivekitUnusable

from .conftest import NOBODY_THERE

SECRET = "test-secret-of-at-least-32-characters"


def meeting(mode: Mode = "listen") -> domain.Meeting:
    spec = MeetingSpec(meeting_id="mtg_1", room="planning", mode=mode)
    return domain.requested(StartMeeting(tenant="acme", spec=spec), datetime.now(UTC), 60)


def claims(mode: Mode = "listen") -> api.access_token.Claims:
    token = Livekit("ws://livekit", "testkey", SECRET).token(meeting(mode))
    return api.TokenVerifier("testkey", SECRET).verify(token)


def test_the_agent_may_listen_and_write_in_its_own_room_and_nothing_else() -> None:
    found = claims()
    assert (found.identity, found.name, found.kind) == ("roomscribe-mtg_1", "Roomscribe", "agent")
    assert found.video is not None
    granted = {name: value for name, value in vars(found.video).items() if value}
    assert granted == {
        "room_join": True,
        "room": "planning",
        "can_subscribe": True,
        "can_publish_data": True,
        "can_update_own_metadata": True,
    }
    assert found.video.can_publish is False


def test_only_a_copilot_may_speak_and_only_through_a_microphone() -> None:
    video = claims("copilot").video
    assert video is not None
    assert (video.can_publish, video.can_publish_sources) == (True, ["microphone"])


async def test_the_server_takes_the_token_for_its_room_and_calls_it_an_agent(livekit: Server) -> None:
    token = Livekit(livekit.url, livekit.api_key, livekit.api_secret).token(meeting())
    address = livekit.url.replace("ws", "http", 1) + "/rtc/validate"
    async with aiohttp.ClientSession() as session:
        async with session.get(address, params={"access_token": token}) as taken:
            assert (taken.status, await taken.text()) == (200, "success")
        async with session.get(address, params={"access_token": token + "x"}) as refused:
            assert refused.status == 401


async def test_a_server_that_answers_is_usable(livekit: Server) -> None:
    await Livekit(livekit.url, livekit.api_key, livekit.api_secret).ping()


async def test_a_wrong_key_is_named(livekit: Server) -> None:
    wrong = Livekit(livekit.url, livekit.api_key, "another-secret-of-at-least-32-characters")
    with pytest.raises(LivekitUnusable, match="ROOMSCRIBE_LIVEKIT_API_SECRET") as refused:
        await wrong.ping()
    assert refused.value.reason == "livekit_refused"


async def test_an_unreachable_server_is_named_with_its_setting() -> None:
    with pytest.raises(LivekitUnusable, match="ROOMSCRIBE_LIVEKIT_URL") as unreachable:
        await Livekit(NOBODY_THERE, "testkey", SECRET).ping()
    assert unreachable.value.reason == "livekit_unreachable"
    assert NOBODY_THERE in str(unreachable.value)


async def test_a_server_that_is_away_is_no_fault_in_what_was_asked_of_it(caplog: pytest.LogCaptureFixture) -> None:
    with one_of_many(logging.getLogger(__name__), "room not looked into"):
        await Livekit(NOBODY_THERE, "testkey", SECRET).ping()
    [record] = caplog.records
    assert (record.levelno, vars(record)["reason"]) == (logging.WARNING, "livekit_unreachable")


async def test_a_page_that_is_no_answer_of_livekits_is_said_to_be_one() -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html>Down for maintenance</html>", content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", page)
    async with TestServer(app) as server:
        livekit = Livekit(f"ws://{server.host}:{server.port}", "testkey", SECRET)  # pyright: ignore[reportUnknownMemberType]  # untyped there
        with pytest.raises(LivekitUnusable, match="something else than LiveKit"):
            await livekit.ping()
