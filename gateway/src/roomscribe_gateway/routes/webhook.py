"""LiveKit's webhooks: verified, stored, and only then acknowledged."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from roomscribe_common.errors import Retryable

from roomscribe_gateway.edge import GivenEdge
from roomscribe_gateway.problems import documented
from roomscribe_gateway.strict import bounded_body

router = APIRouter(tags=["livekit"])

# LiveKit gives up on a webhook after 30 s, and tries again before that if it is told so in time.
_STORE_S = 5.0


@router.post("/livekit/webhook", responses=documented(400, 413))
async def receive_webhook(request: Request, edge: GivenEdge) -> Response:
    """Set this address in LiveKit's `webhook.urls`. Signed with the LiveKit API key; duplicates do no harm."""
    livekit = edge.livekit_or_refuse()
    body = await bounded_body(request)
    event = livekit.webhook(body, request.headers.get("authorization"), datetime.now(UTC))
    try:
        await edge.bus.publish(event, deadline_s=_STORE_S)
    except Retryable as error:
        raise Retryable("the webhook could not be stored") from error
    return Response(status_code=200)
