"""The HTTP application: routes, errors, description."""

from typing import Any

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.security import HTTPBearer
from opentelemetry.metrics import Meter
from opentelemetry.trace import Tracer
from pydantic.json_schema import models_json_schema
from roomscribe_common.errors import Problem

from roomscribe_gateway import problems
from roomscribe_gateway.access import Access
from roomscribe_gateway.edge import Edge
from roomscribe_gateway.routes import events, invoices, meetings, page, pricing, series, transcripts, usage, webhook

_ABOUT = (
    "Roomscribe sends an agent into LiveKit rooms and returns transcripts, minutes and billable minutes. "
    "Errors are problem documents (RFC 9457): `type` is stable, `errors` names the refused fields."
)


def create(edge: Edge, tracer: Tracer, meter: Meter) -> FastAPI:
    """The application over the edge."""
    app = FastAPI(
        title="Roomscribe", version="1", description=_ABOUT, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    app.state.edge = edge
    app.add_middleware(Access, tracer=tracer, meter=meter)
    problems.install(app)
    # The key itself is checked by StrictRoute, before anything is read; this is for the description.
    bearer = [Depends(HTTPBearer(auto_error=False, description="Your API key."))]
    for routes in (meetings, series, transcripts, events, usage, invoices, pricing):
        app.include_router(routes.router, dependencies=bearer)
    for routes in (webhook, page):
        app.include_router(routes.router)
    app.openapi = lambda: _description(app)
    return app


def _description(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        _, models = models_json_schema([(Problem, "serialization")], ref_template="#/components/schemas/{model}")
        schema.setdefault("components", {}).setdefault("schemas", {}).update(models["$defs"])
        app.openapi_schema = schema
    return app.openapi_schema
