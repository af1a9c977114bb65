"""The API's kind of route: knows its caller before it reads anything, and takes nothing it does not understand."""

import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from roomscribe_common.errors import FieldError, ProblemError

from roomscribe_gateway.edge import edge_of

MAX_BODY_BYTES = 256 * 1024


class StrictRequest(Request):
    """Its body is bounded, and its JSON is JSON: no NaN, no Infinity, no name twice."""

    async def read(self) -> None:
        """Reads the body ahead of FastAPI, which would hide why it refuses one. Raises `ProblemError` (400, 413)."""
        self._body = await bounded_body(self)
        self._json = _parsed(self._body)


class StrictRoute(APIRoute):
    """Checks the API key, the names of query parameters and the content type, then does what FastAPI does."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What serves a request."""
        handle, known, has_body = super().get_route_handler(), _query_names(self.dependant), self.body_field is not None

        async def strict(request: Request) -> Response:
            request.state.tenant = edge_of(request).keys.tenant(request.headers.get("authorization"))
            _check_query(request, known)
            given = StrictRequest(request.scope, request.receive)
            if has_body:
                _check_content_type(request)
                await given.read()
            return await handle(given)

        return strict


async def bounded_body(request: Request) -> bytes:
    """The request's body. Raises `ProblemError` (413) above `MAX_BODY_BYTES`, before it is in memory."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
        raise _too_large()
    parts, size = list[bytes](), 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise _too_large()
        parts.append(part)
    return b"".join(parts)


def _query_names(dependant: Dependant) -> frozenset[str]:
    names = {field.alias for field in dependant.query_params}
    return frozenset(names.union(*(_query_names(inner) for inner in dependant.dependencies)))


def _check_query(request: Request, known: frozenset[str]) -> None:
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        limit = f"unknown parameter; this address knows {', '.join(sorted(known)) or 'none'}"
        errors = [FieldError(field=name[:200], detail=limit) for name in unknown[:20]]
        detail = f"{errors[0].field}: {limit}"
        raise ProblemError.of("invalid-request", 422, "Invalid request", detail, errors)


def _check_content_type(request: Request) -> None:
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != "application/json":
        detail = f"Send the body as `Content-Type: application/json`, not {sent[:100] or 'without a type'}."
        raise ProblemError.of("unsupported-media-type", 415, "Not JSON", detail)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_no_constant, object_pairs_hook=_no_repeated_name)
    except json.JSONDecodeError as error:
        raise _malformed(f"{error.msg} at character {error.pos}") from error
    except UnicodeDecodeError as error:
        raise _malformed("it is not UTF-8") from error
    except RecursionError as error:
        raise _malformed("it is nested too deeply") from error
    except ValueError as error:
        raise _malformed(str(error)) from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _no_repeated_name(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice in one object")
    return found


def _malformed(why: str) -> ProblemError:
    return ProblemError.of("malformed", 400, "Malformed request", f"The body is not JSON: {why}.")


def _too_large() -> ProblemError:
    return ProblemError.of("too-large", 413, "Body too large", f"The body is larger than {MAX_BODY_BYTES} bytes.")
