"""What the routes work with, put together once in `app.py`."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Path, Request
from pydantic import BaseModel
from roomscribe_common.bus import Bus, ResponseT
from roomscribe_common.errors import ProblemError
from roomscribe_common.ids import TOKEN_PATTERN

from roomscribe_gateway import problems
from roomscribe_gateway.adapters import livekit
from roomscribe_gateway.adapters.livekit import Livekit
from roomscribe_gateway.archive.reads import Archive, MeetingRecord
from roomscribe_gateway.auth import Keys
from roomscribe_gateway.invoice_files.typesetter import Typesetter
from roomscribe_gateway.live.hub import Hub
from roomscribe_gateway.recent import just_requested
from roomscribe_gateway.settings import GatewaySettings


@dataclass(frozen=True, slots=True)
class Edge:
    """The gateway's parts. `livekit` is None where none is configured."""

    settings: GatewaySettings
    keys: Keys
    bus: Bus
    archive: Archive
    hub: Hub
    livekit: Livekit | None
    typesetter: Typesetter

    async def ask(self, subject: str, command: BaseModel, response: type[ResponseT]) -> ResponseT:
        """Another service's answer. Raises `ProblemError`: its refusal, or 503 if it does not answer in time."""
        try:
            return await self.bus.request(subject, command, response, self.settings.gateway_command_timeout_s)
        except ProblemError as error:
            if error.problem.status == 504:
                raise ProblemError(error.problem.model_copy(update={"status": 503})) from error
            raise

    async def meeting(self, tenant: str, meeting_id: str) -> MeetingRecord:
        """The meeting: from the archive or, while that has yet to hear of it, from the stream. Raises 404."""
        found = await self.archive.meeting(tenant, meeting_id) or await just_requested(self.bus.js, tenant, meeting_id)
        if found is None:
            raise problems.not_found(meeting_id)
        return found

    def livekit_or_refuse(self) -> Livekit:
        """LiveKit. Raises `ProblemError` (503) where none is configured."""
        if self.livekit is None:
            raise livekit.absent()
        return self.livekit


def edge_of(request: Request) -> Edge:
    """The edge of the application that serves the request."""
    return cast(Edge, request.app.state.edge)


def _tenant_of(request: Request) -> str:
    return cast(str, request.state.tenant)


GivenEdge = Annotated[Edge, Depends(edge_of)]
Tenant = Annotated[str, Depends(_tenant_of)]
MeetingId = Annotated[
    str, Path(pattern=TOKEN_PATTERN, description="The `id` a meeting was given.", examples=["mtg_0190f3c2a7b4e1d2"])
]
