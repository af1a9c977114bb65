"""One line, one span and one measurement per request: by route template, without query strings, names or speech."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from opentelemetry import propagate
from opentelemetry.metrics import Meter
from opentelemetry.trace import SpanKind, Tracer
from roomscribe_common import logs
from roomscribe_common.ids import is_token
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)


class Access:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, tracer: Tracer, meter: Meter) -> None:
        self._app = app
        self._tracer = tracer
        self._seconds = meter.create_histogram(
            "http.server.request.duration", unit="s", description="Time until the response was sent"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves and notes one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, started = 500, time.perf_counter()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        context = propagate.extract(dict(Headers(scope=scope)))
        with self._tracer.start_as_current_span(
            scope["method"], context, kind=SpanKind.SERVER, record_exception=False
        ) as span:
            try:
                await self._app(scope, receive, noting)
            finally:
                seconds, route = time.perf_counter() - started, _route(scope)
                span.update_name(f"{_method(scope)} {route}")
                span.set_attributes({"http.route": route, "http.response.status_code": status})
                labels = {
                    "http.request.method": _method(scope),
                    "http.route": route,
                    "http.response.status_code": status,
                }
                self._seconds.record(seconds, labels)
                with logs.bound(**_ids(scope)):
                    extra = {"method": _method(scope), "route": route, "status": status, "ms": round(seconds * 1000, 1)}
                    log.info("request", extra=extra)


def _method(scope: Scope) -> str:
    known = {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"}
    return scope["method"] if scope["method"] in known else "_OTHER"


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "unknown")


def _ids(scope: Scope) -> dict[str, str | None]:
    state: Mapping[str, Any] = scope.get("state") or {}
    path: Mapping[str, Any] = scope.get("path_params") or {}
    meeting = path.get("meeting_id")
    return {
        "tenant": state.get("tenant"),
        "meeting": meeting if isinstance(meeting, str) and is_token(meeting) else None,
    }
