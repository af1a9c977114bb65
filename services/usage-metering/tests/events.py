"""The events of one meeting, as the services around usage-metering publish them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from roomscribe_common.contracts.agent import (
    AgentHeartbeat,
    AgentHeartbeatData,
    AgentJoined,
    AgentJoinedData,
    AgentLeft,
    AgentLeftData,
    Counters,
)
from roomscribe_common.contracts.base import AnyEvent, Data, Participant, SttModel, Track
from roomscribe_common.contracts.livekit import LivekitEvent, LivekitEventData
from roomscribe_common.contracts.meeting import MeetingEnded, MeetingEndedData, MeetingStarted, MeetingStartedData
from roomscribe_common.contracts.stt import SttFinal, SttFinalData, Utterance
from roomscribe_common.contracts.usage import LlmUsage, LlmUsageData
from roomscribe_common.subjects import UNKNOWN, subject_of

EventT = TypeVar("EventT", bound=AnyEvent)

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
ROOM = "planning"


def after(seconds: float, start: datetime = START) -> datetime:
    return start + timedelta(seconds=seconds)


class Meeting:
    """The events of one meeting in room SID `sid`, all times in seconds from its start."""

    def __init__(
        self, meeting_id: str = "mtg_1", tenant: str = "acme", sid: str = "RM_1", start: datetime = START
    ) -> None:
        self.id, self.tenant, self.sid, self.start = meeting_id, tenant, sid, start
        self.agent_sid = f"PA_agent_{meeting_id}"
        self._ref = {
            "meeting_id": meeting_id,
            "room": ROOM,
            "job_id": f"job_{meeting_id}",
            "epoch": 1,
            "room_sid": sid,
            "participant_sid": self.agent_sid,
            "identity": f"roomscribe-{meeting_id}",
            "node": "node",
            "joined_at": self.start,
        }

    def started(self) -> MeetingStarted:
        data = MeetingStartedData(
            meeting_id=self.id, room=ROOM, room_sid=self.sid, started_at=self.start, joined_at=self.start, epoch=1
        )
        return self._event(MeetingStarted, f"started:{self.id}", data)

    def ended(self, at_s: float) -> MeetingEnded:
        data = MeetingEndedData(
            meeting_id=self.id, room=ROOM, started_at=self.start, ended_at=self._after(at_s), reason="requested"
        )
        return self._event(MeetingEnded, f"ended:{self.id}", data)

    def agent_joined(self) -> AgentJoined:
        data = AgentJoinedData.model_validate({**self._ref, "connect_ms": 80})
        return self._event(AgentJoined, f"agent_joined:{self.id}", data)

    def heartbeat(self, seq: int) -> AgentHeartbeat:
        beat = {"seq": seq, "uptime_ms": seq * 15_000, "counters": Counters(), "humans": 1}
        data = AgentHeartbeatData.model_validate({**self._ref, **beat})
        return self._event(AgentHeartbeat, f"beat:{self.id}:{seq}", data)

    def agent_left(self, at_s: float) -> AgentLeft:
        end = {
            "left_at": self._after(at_s),
            "uptime_ms": int(at_s * 1000),
            "reason": "requested",
            "counters": Counters(),
        }
        return self._event(AgentLeft, f"agent_left:{self.id}", AgentLeftData.model_validate({**self._ref, **end}))

    def final(self, utterance_id: str, audio_ms: int) -> SttFinal:
        spoken = Utterance(
            utterance_id=utterance_id,
            meeting_id=self.id,
            room=ROOM,
            epoch=1,
            participant=Participant(identity="anna", name="Anna"),
            track=Track(id="TR_anna", source="microphone"),
            started_at=self._after(5),
            start_ms=5_000,
        )
        data = SttFinalData(
            utterance=spoken,
            attempt=1,
            end_ms=5_000 + audio_ms,
            text="",
            confidence=1,
            language="en",
            stt=SttModel(provider="moonshine", model="tiny"),
            audio_ms=audio_ms,
        )
        subject = subject_of(SttFinal, self.tenant, self.id, "TR_anna", utterance_id)
        return SttFinal.new(
            id=f"final:{utterance_id}", source="stt-worker", subject=subject, tenant=self.tenant, data=data
        )

    def tokens(self, request_id: str) -> LlmUsage:
        data = LlmUsageData(
            meeting_id=self.id,
            request_id=request_id,
            provider="openai",
            model="m",
            input_tokens=100,
            output_tokens=10,
            at=self._after(60),
        )
        return self._event(LlmUsage, f"llm:{request_id}", data)

    def webhook(self, name: str, sid: str, at_s: int, joined_s: float = 0.0, kind: str | None = None) -> LivekitEvent:
        joined_ms = int(self._after(joined_s).timestamp() * 1000)
        who = {"sid": sid, "identity": sid.lower(), "joinedAtMs": str(joined_ms), "state": "ACTIVE"}
        body = {"event": name, "participant": who | ({"kind": kind} if kind else {})}
        return webhook(name, f"EV_{name}_{sid}_{self.sid}", self.sid, self._after(at_s), body)

    def room_finished(self, at_s: int) -> LivekitEvent:
        return webhook(
            "room_finished", f"EV_finished_{self.sid}", self.sid, self._after(at_s), {"event": "room_finished"}
        )

    def life(self, seconds: int = 75) -> list[AnyEvent]:
        """One person and the agent, from first to last, and one who leaves early."""
        return [
            self.started(),
            self.agent_joined(),
            self.webhook("participant_joined", "PA_anna", 1, 1),
            self.webhook("participant_joined", self.agent_sid, 0, 0, "AGENT"),
            self.heartbeat(1),
            self.final(f"utt_{self.id}", 1_500),
            self.webhook("participant_left", "PA_bo", 20, 12),
            self.tokens(f"llm_{self.id}"),
            self.agent_left(seconds),
            self.webhook("participant_left", "PA_anna", seconds, 1),
            self.webhook("participant_left", self.agent_sid, seconds, 0, "AGENT"),
            self.ended(seconds),
        ]

    def _after(self, seconds: float) -> datetime:
        return after(seconds, self.start)

    def _event(self, event: type[EventT], id_: str, data: Data) -> EventT:
        subject = subject_of(event, self.tenant, self.id)
        return event.new(id=id_, source="test", subject=subject, tenant=self.tenant, data=data)


def webhook(name: str, id_: str, room_sid: str, at: datetime, body: Mapping[str, object]) -> LivekitEvent:
    data = LivekitEventData.model_validate(
        {
            "event": name,
            "livekit_id": id_,
            "room": ROOM,
            "room_sid": room_sid,
            "created_at": at,
            "received_at": at,
            "body": body,
        }
    )
    subject = subject_of(LivekitEvent, UNKNOWN, room_sid or UNKNOWN)
    return LivekitEvent.new(id=id_, source="livekit", subject=subject, tenant=UNKNOWN, data=data)
