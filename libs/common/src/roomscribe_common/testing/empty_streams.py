"""An empty JetStream with every stream provisioned."""

from roomscribe_common import connection, streams


async def provision_empty(nats_url: str) -> None:
    """Delete every stream of the server, then provision all of ours."""
    client = await connection.connect(nats_url, "test-provisioner")
    try:
        jetstream = client.jetstream(timeout=10)  # pyright: ignore[reportUnknownMemberType]  # untyped keywords
        for stream in await jetstream.streams_info():
            await jetstream.delete_stream(str(stream.config.name))
        await streams.apply(jetstream)
    finally:
        await client.close()
