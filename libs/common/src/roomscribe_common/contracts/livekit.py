"""LiveKit's webhooks, verified at the edge and passed on as they came, without secrets."""

from pydantic import AwareDatetime, JsonValue

from roomscribe_common.contracts.base import Data, Event


class LivekitEventData(Data):
    """`body` is the webhook's JSON as LiveKit sent it (`livekit.WebhookEvent`), without `room.turnPassword`."""

    event: str
    livekit_id: str
    room: str = ""
    room_sid: str = ""
    created_at: AwareDatetime
    received_at: AwareDatetime
    body: dict[str, JsonValue]


class LivekitEvent(Event[LivekitEventData]):
    """A verified webhook. Its id is LiveKit's own, stable over retries."""

    TYPE = "livekit.v1.event"
