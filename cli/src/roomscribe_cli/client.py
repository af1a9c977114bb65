"""A client of the gateway's `/v1`: what the commands need of it, and its errors in words."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
from roomscribe_common.errors import Problem

from roomscribe_cli.local.record import StackError, StateFolder, default_state

_RECONNECT_TRIES = 30
"""In a row, without one event in between."""
_RECONNECT_WAIT_S = 1.0
"""As the gateway asks browsers to wait."""
_PASSING = frozenset({502, 503, 504})


class GatewayError(Exception):
    """The gateway refused a call or could not be reached; the message says what to do."""


class _Away(Exception):
    """The gateway is away for a moment, or something it needs is."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the gateway is, and the key for it."""

    url: str
    api_key: str

    @classmethod
    def find(cls, state: Path | None) -> Self:
        """From `ROOMSCRIBE_GATEWAY_URL` and `ROOMSCRIBE_API_KEY`, else from the stack running in the state folder."""
        url, key = os.environ.get("ROOMSCRIBE_GATEWAY_URL"), os.environ.get("ROOMSCRIBE_API_KEY")
        if url and key and state is None:
            return cls(url.rstrip("/"), key)
        folder = StateFolder(state or default_state())
        record = folder.read()
        if record is None:
            raise StackError(
                f"no stack in {folder.path}: start one with `roomscribe up`, name its folder with --state, "
                "or set ROOMSCRIBE_GATEWAY_URL and ROOMSCRIBE_API_KEY"
            )
        return cls(f"http://127.0.0.1:{record.ports['gateway']}", record.gateway_key)


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event of the stream; `data` is its JSON object. Interims have no id."""

    id: str | None
    event: str
    data: dict[str, Any]


def _explained(response: httpx.Response) -> str:
    try:
        problem = Problem.model_validate_json(response.content)
    except ValueError:
        return f"{response.request.method} {response.request.url.path}: HTTP {response.status_code}"
    fields = "".join(f"\n  {error.field}: {error.detail}" for error in problem.errors)
    return f"{problem.title}: {problem.detail}{fields}"


class Gateway:
    """Calls to one gateway. Every call raises `GatewayError` with the problem document's words if it is refused."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._http = httpx.AsyncClient(
            base_url=endpoint.url, headers={"Authorization": f"Bearer {endpoint.api_key}"}, timeout=30
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def _call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            response = await self._http.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise GatewayError(f"no answer from {self.endpoint.url}{path}: {error!r}; is the stack running?") from error
        if response.is_error:
            raise GatewayError(_explained(response))
        return response

    async def get(self, path: str, **parameters: str) -> bytes:
        """The body of the answer."""
        return (await self._call("GET", path, params=parameters)).content

    async def post(self, path: str, body: str) -> bytes:
        """The body of the answer to a JSON text."""
        headers = {"Content-Type": "application/json"}
        return (await self._call("POST", path, content=body.encode(), headers=headers)).content

    async def start(self, room: str, title: str) -> str:
        """Sends the agent into a room; the meeting's id."""
        return str((await self._call("POST", "/v1/meetings", json={"room": room, "title": title})).json()["id"])

    async def meeting(self, meeting: str) -> dict[str, Any]:
        """State and times of a meeting."""
        return dict((await self._call("GET", f"/v1/meetings/{meeting}")).json())

    async def end(self, meeting: str) -> None:
        """The agent is to leave."""
        await self._call("POST", f"/v1/meetings/{meeting}/end")

    async def token(self, meeting: str, identity: str, name: str) -> dict[str, Any]:
        """A LiveKit token for a person, and where to use it."""
        body = {"identity": identity, "name": name}
        return dict((await self._call("POST", f"/v1/meetings/{meeting}/tokens", json=body)).json())

    async def transcript(self, meeting: str, form: str) -> bytes:
        """The transcript in a format of the gateway's."""
        return (await self._call("GET", f"/v1/meetings/{meeting}/transcript", params={"format": form})).content

    async def minutes(self, meeting: str) -> dict[str, Any] | None:
        """The minutes, or None while there are none."""
        try:
            return dict((await self._call("GET", f"/v1/meetings/{meeting}/minutes")).json())
        except GatewayError:
            return None

    async def usage(self, meeting: str) -> dict[str, Any]:
        """The ledger of a meeting."""
        return dict((await self._call("GET", f"/v1/meetings/{meeting}/usage")).json())

    async def events(self, meeting: str) -> AsyncIterator[ServerSentEvent]:
        """The meeting's events from its beginning until `end`; resumes where it was cut off."""
        last: str | None = None
        tries = 0
        while tries < _RECONNECT_TRIES:
            headers = {"Last-Event-ID": last} if last else {}
            try:
                async for event in self._stream(meeting, headers):
                    tries, last = 0, event.id or last
                    yield event
                    if event.event == "end":
                        return
            except _Away:
                pass
            tries += 1
            await asyncio.sleep(_RECONNECT_WAIT_S)
        raise GatewayError(f"the event stream of {meeting} broke off {_RECONNECT_TRIES} times; is the gateway well?")

    async def _stream(self, meeting: str, headers: dict[str, str]) -> AsyncIterator[ServerSentEvent]:
        timeout = httpx.Timeout(30, read=60)
        path = f"/v1/meetings/{meeting}/events"
        try:
            async with self._http.stream("GET", path, headers=headers, timeout=timeout) as response:
                if response.is_error:
                    await response.aread()
                    raise (_Away if response.status_code in _PASSING else GatewayError)(_explained(response))
                async for event in _events_in(response.aiter_lines()):
                    yield event
        except httpx.TransportError as error:
            raise _Away(repr(error)) from error


async def _events_in(lines: AsyncIterator[str]) -> AsyncIterator[ServerSentEvent]:
    fields: dict[str, str] = {}
    async for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(":")
            fields[name] = fields[name] + "\n" + value.lstrip() if name in fields else value.lstrip()
        elif "data" in fields:
            yield ServerSentEvent(fields.get("id"), fields.get("event", "message"), json.loads(fields["data"]))
            fields = {}
