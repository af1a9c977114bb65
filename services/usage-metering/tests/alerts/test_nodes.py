"""A node's counters, as LiveKit writes them."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from roomscribe_usage_metering.alerts.drift import NodeUnavailable
from roomscribe_usage_metering.alerts.nodes import readers
from roomscribe_usage_metering.reconciling import bytes_sent

IDLE = """# HELP livekit_participant_total \n# TYPE livekit_participant_total gauge
livekit_participant_total{node_id="ND_x",node_type="SERVER"} 0
"""
BUSY = (
    IDLE
    + """# TYPE livekit_packet_bytes counter
livekit_packet_bytes{country="",direction="incoming",node_id="ND_x",node_type="SERVER",transmission="initial"} 7e+08
livekit_packet_bytes{country="",direction="outgoing",node_id="ND_x",node_type="SERVER",transmission="initial"} 1.5e+09
livekit_packet_bytes{country="DE",direction="outgoing",node_id="ND_x",node_type="SERVER",transmission="retransmit"} 25
"""
)


def test_what_went_out_is_counted_and_what_came_in_is_not() -> None:
    assert bytes_sent(BUSY) == 1_500_000_025


def test_a_node_that_has_sent_nothing_yet_has_no_counter_and_has_sent_nothing() -> None:
    assert bytes_sent(IDLE) == 0


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text=BUSY, content_type="text/plain")

    async def other(_: web.Request) -> web.Response:
        return web.Response(text="up 1")

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/other", other)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


async def test_a_node_is_read_over_http_and_named_without_its_address(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        [(name, read)] = readers(session, [f"{url}/metrics"]).items()
        assert await read() == 1_500_000_025
    assert "127.0.0.1" not in name


@pytest.mark.parametrize("path", ["/other", "/missing", ":1/metrics"])
async def test_a_node_that_cannot_be_read_is_unavailable(url: str, path: str) -> None:
    address = url + path if path[0] == "/" else "http://127.0.0.1:1/metrics"
    async with aiohttp.ClientSession() as session:
        [read] = readers(session, [address]).values()
        with pytest.raises(NodeUnavailable):
            await read()
