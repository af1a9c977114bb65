"""From bytes on a subject to an event of ours, or a reason why not that holds nothing of what was said."""

from typing import Generic, TypeVar

from pydantic import ValidationError

from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.errors import Permanent
from roomscribe_common.subjects import UnsafeToken, parse

EventT = TypeVar("EventT", bound=AnyEvent)


def why(error: ValidationError) -> str:
    """The first five refused fields and why, without their values."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    shown = [f"{'.'.join(str(p) for p in e['loc']) or 'body'}: {e['msg']}" for e in found[:5]]
    return "; ".join([*shown, f"and {len(found) - 5} more"] if len(found) > 5 else shown)


class Reader(Generic[EventT]):
    """Reads events of the given classes; the subject says which class a message must be."""

    def __init__(self, *models: type[EventT]) -> None:
        self._models = {model.TYPE: model for model in models}

    def read(self, subject: str, payload: bytes) -> EventT:
        """The event. Raises `Permanent`: not of these classes, malformed, or it claims another subject or tenant."""
        try:
            place = parse(subject)
        except UnsafeToken as error:
            raise Permanent(str(error)) from error
        model = self._models.get(place.type)
        if model is None:
            raise Permanent(f"no handler for {place.type!r}")
        try:
            event = model.model_validate_json(payload)
        except ValidationError as error:
            raise Permanent(f"malformed {place.type}: {why(error)}") from error
        if event.subject != subject or event.tenant != place.tenant:
            raise Permanent(f"the event claims subject {event.subject!r} and tenant {event.tenant!r}")
        return event
