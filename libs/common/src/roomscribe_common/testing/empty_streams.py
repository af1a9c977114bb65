"""An empty JetStream with every stream provisioned."""

import asyncio
from typing import Final

from nats.js import JetStreamContext
from nats.js.errors import ServerError

from roomscribe_common import connection, streams

_TRIES: Final = 10
_AGAIN_S: Final = 0.2


async def provision_empty(nats_url: str) -> None:
    """Delete every stream of the server, then provision all of ours."""
    client = await connection.connect(nats_url, "test-provisioner")
    try:
        jetstream = client.jetstream(timeout=10)  # pyright: ignore[reportUnknownMemberType]  # untyped keywords
        for stream in await jetstream.streams_info():
            await jetstream.delete_stream(str(stream.config.name))
        await _provision(jetstream)
    finally:
        await client.close()


async def _provision(jetstream: JetStreamContext) -> None:
    """The server removes a deleted stream's folder a little later, and cannot make the stream anew before."""
    for _ in range(_TRIES - 1):
        try:
            await streams.apply(jetstream)
            return
        except ServerError:
            await asyncio.sleep(_AGAIN_S)
    await streams.apply(jetstream)
