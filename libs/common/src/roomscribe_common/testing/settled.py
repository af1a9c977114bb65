"""Whether a service has handled everything that was published for it."""

from nats.js import JetStreamContext

from roomscribe_common.stored import last
from roomscribe_common.streams import CONSUMER


async def settled(js: JetStreamContext, consumer: str) -> bool:
    """Whether everything stored for a consumer of the table is acked.

    By the stream's own last messages: what a consumer says is pending may be older than a publish that was acked.
    """
    spec = CONSUMER[consumer]
    newest = [found.sequence for subject in spec.filters if (found := await last(js, spec.stream, subject)) is not None]
    info = await js.consumer_info(spec.stream, consumer)
    floor = info.ack_floor.stream_seq if info.ack_floor else 0
    return not info.num_pending and not info.num_ack_pending and floor >= max(newest, default=0)
