"""Reading what a stream holds, on a real NATS."""

import nats
from nats.js import JetStreamContext
from roomscribe_common.stored import last, stored
from roomscribe_common.streams import entrance


async def test_every_message_of_a_subject_is_read_in_order_over_several_batches(streams: str) -> None:
    nc = await nats.connect(streams, connect_timeout=5)  # pyright: ignore[reportUnknownMemberType]  # untyped in nats-py
    try:
        js = JetStreamContext(nc)
        for n in range(1201):
            await nc.publish(entrance(f"transcript.v1.final.acme.mtg_{n % 2}"), str(n).encode())
        newest_id = {"Nats-Msg-Id": "end"}
        final = await js.publish(entrance("transcript.v1.final.acme.mtg_0"), b"end", headers=newest_id)
        read = [message async for message in stored(nc, "TRANSCRIPTS", "transcript.v1.final.acme.mtg_0")]
        assert [message.data for message in read] == [*(str(n).encode() for n in range(0, 1201, 2)), b"end"]
        assert (read[-1].sequence, read[-1].headers["Nats-Msg-Id"]) == (final.seq, "end")
        rest = [message.data async for message in stored(nc, "TRANSCRIPTS", "transcript.v1.final.>", final.seq - 1)]
        assert rest == [b"1200", b"end"]
        assert [message async for message in stored(nc, "TRANSCRIPTS", "transcript.v1.final.acme.none")] == []
        newest = await last(js, "TRANSCRIPTS", "transcript.v1.final.acme.mtg_0")
        assert newest is not None
        assert (newest.data, newest.sequence) == (b"end", final.seq)
        assert await last(js, "TRANSCRIPTS", "transcript.v1.final.acme.none") is None
    finally:
        await nc.close()
