"""Puts the gateway together."""

from collections.abc import Awaitable, Callable
from socket import socket

from roomscribe_common.service import Service, StartFailed

from roomscribe_gateway import http, server
from roomscribe_gateway.adapters.livekit import Livekit
from roomscribe_gateway.archive import database
from roomscribe_gateway.archive.feed import CONSUMERS, Feed
from roomscribe_gateway.archive.reads import Archive
from roomscribe_gateway.auth import Keys
from roomscribe_gateway.edge import Edge
from roomscribe_gateway.invoice_files.typesetter import Typesetter
from roomscribe_gateway.live.hub import Hub
from roomscribe_gateway.settings import GatewaySettings


async def build(service: Service[GatewaySettings]) -> None:
    """The archive, its feeds, and the HTTP server."""
    settings = service.settings
    listening = server.bind(settings.gateway_host, settings.gateway_port)
    service.on_close(_closing(listening))
    engine = database.open_engine(settings.database_url)
    service.on_close(engine.dispose)
    try:
        await database.prepare(engine, settings.database_url, settings.start_timeout_s)
    except database.OldArchive as error:
        raise StartFailed(str(error)) from error
    archive = Archive(engine)
    service.check("database", archive.ping)
    for consumer in CONSUMERS:
        feed = Feed(service.bus, engine, consumer, service.stopping)
        service.check(consumer, feed.ping)
        service.spawn(f"archive {consumer}", feed.run())
    edge = Edge(
        settings=settings,
        keys=Keys(settings.gateway_api_keys),
        bus=service.bus,
        archive=archive,
        hub=Hub(settings.gateway_max_streams, service.meter),
        livekit=_livekit(settings),
        typesetter=Typesetter(),
    )
    app = http.create(edge, service.tracer, service.meter)
    service.spawn("http", server.serve(app, listening, edge.hub.close))


def _closing(listening: socket) -> Callable[[], Awaitable[None]]:
    async def close() -> None:
        listening.close()

    return close


def _livekit(settings: GatewaySettings) -> Livekit | None:
    if not settings.livekit_url:
        return None
    return Livekit(settings.livekit_url, settings.livekit_api_key, settings.livekit_api_secret.get_secret_value())
