"""What may be asked for at all, whichever way in: said by the name of the field and its limit."""

from typing import Final

from roomscribe_common.contracts.meeting import MeetingSpec
from roomscribe_common.contracts.series import SeriesSpec
from roomscribe_common.errors import FieldError, ProblemError
from roomscribe_common.settings import env_name

from roomscribe_dispatcher.settings import DispatcherSettings

_LONGEST_EMPTY_ROOM_S: Final = 86_400.0
ANY_LANGUAGE: Final = "*"


def check(spec: MeetingSpec | SeriesSpec, empty_room_timeout_s: float | None, settings: DispatcherSettings) -> None:
    """Raises `ProblemError` if no agent can do that."""
    if not settings.livekit_url:
        detail = f"No agent can join a room: {env_name('livekit_url')} is not set for the dispatcher."
        raise ProblemError.of("livekit-not-configured", 503, "LiveKit is not configured", detail)
    wrong = [
        error
        for error in (_timeout(empty_room_timeout_s), _mode(spec.mode), _language(spec.language, settings))
        if error is not None
    ]
    if wrong:
        raise invalid(*wrong)


def invalid(*errors: FieldError) -> ProblemError:
    """Refused fields."""
    detail = "; ".join(f"{error.field}: {error.detail}" for error in errors)
    return ProblemError.of("invalid-request", 422, "Invalid request", detail, list(errors))


def _timeout(timeout_s: float | None) -> FieldError | None:
    if timeout_s is None or 0 < timeout_s <= _LONGEST_EMPTY_ROOM_S:
        return None
    return FieldError(field="empty_room_timeout_s", detail=f"more than 0 and at most {_LONGEST_EMPTY_ROOM_S:g}")


def _mode(mode: str) -> FieldError | None:
    if mode == "listen":
        return None
    return FieldError(field="mode", detail="'copilot' cannot be done yet; only 'listen'")


def _language(language: str, settings: DispatcherSettings) -> FieldError | None:
    """`en-GB` is understood where `en` is."""
    known = settings.dispatcher_languages
    if ANY_LANGUAGE in known or {language.lower(), language.lower().split("-")[0]} & {each.lower() for each in known}:
        return None
    return FieldError(field="language", detail=f"is not understood here; one of {', '.join(known)}")
