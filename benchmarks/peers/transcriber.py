"""LiveKit Agents' multi-user transcriber, with our speech model as its STT. Runs in the peer's environment only.

The pattern of the framework's example: one job a room, and in it one `AgentSession` for each participant, whose words
go out as text streams. Everything is left at the framework's defaults, but the worker is never "full": by default it
refuses jobs, silently, while the machine's processors are busy.

Needs `LIVEKIT_URL`, `LIVEKIT_API_KEY`, `LIVEKIT_API_SECRET`; `PEER_AGENT_NAME`; `PEER_PORT`; `PEER_DECODES`, a file
that gets "CPU seconds, seconds of audio" of each decode; and our engine on `PYTHONPATH`.
"""
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false
# It is checked with our environment, which has no livekit-agents.

import asyncio
import os
import time

import numpy as np
from livekit import rtc
from livekit.agents import (
    Agent,
    AgentServer,
    AgentSession,
    AutoSubscribe,
    JobContext,
    JobProcess,
    StopResponse,
    cli,
    room_io,
    stt,
)
from livekit.agents.llm import ChatContext, ChatMessage
from roomscribe_stt_worker.engines.moonshine import Moonshine
from roomscribe_stt_worker.engines.protocol import SAMPLE_RATE_HZ, Clip


class MoonshineSTT(stt.STT):
    """The engine as a plugin: it hears a whole utterance at a time, as our workers decode a final."""

    def __init__(self, engine: Moonshine) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))
        self._engine = engine

    async def _recognize_impl(self, buffer, *, language=None, conn_options=None) -> stt.SpeechEvent:
        frame = rtc.combine_audio_frames(buffer)
        text = await asyncio.to_thread(self._decode, frame)
        words = stt.SpeechData(language="en", text=text)
        return stt.SpeechEvent(type=stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[words])

    def _decode(self, frame: rtc.AudioFrame) -> str:
        began = time.thread_time()
        resampler = rtc.AudioResampler(frame.sample_rate, SAMPLE_RATE_HZ)
        pieces = [bytes(each.data) for each in (*resampler.push(frame), *resampler.flush())]
        samples = np.frombuffer(b"".join(pieces), np.int16).astype(np.float32) / np.float32(32768)
        clip = Clip(samples, thorough=True)
        text = self._engine.transcribe([clip])[0].text
        with open(os.environ["PEER_DECODES"], "a") as log:
            log.write(f"{time.thread_time() - began:.4f},{clip.duration_s:.3f}\n")
        return text


class Transcriber(Agent):
    """Listens to one participant and never answers."""

    def __init__(self, engine: Moonshine) -> None:
        super().__init__(instructions="", stt=MoonshineSTT(engine))

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        """The turn is over; nobody is to speak."""
        raise StopResponse


class Room:
    """A session for each participant of one room."""

    def __init__(self, job: JobContext) -> None:
        self._job = job
        self._sessions: dict[str, asyncio.Task[AgentSession]] = {}
        job.room.on("participant_connected", self.hear)
        job.room.on("participant_disconnected", self._forget)

    def hear(self, participant: rtc.RemoteParticipant) -> None:
        """Begins a session for somebody, once."""
        if participant.identity not in self._sessions:
            self._sessions[participant.identity] = asyncio.create_task(self._begin(participant.identity))

    async def _begin(self, identity: str) -> AgentSession:
        session = AgentSession()
        options = room_io.RoomOptions(
            audio_input=True, text_output=True, audio_output=False, text_input=False, participant_identity=identity
        )
        agent = Transcriber(self._job.proc.userdata["engine"])
        await session.start(agent=agent, room=self._job.room, room_options=options)
        return session

    def _forget(self, participant: rtc.RemoteParticipant) -> None:
        if (begun := self._sessions.pop(participant.identity, None)) is not None:
            self._closing = asyncio.create_task(_end(begun))

    async def close(self) -> None:
        """Ends them all."""
        await asyncio.gather(*map(_end, self._sessions.values()))


async def _end(begun: "asyncio.Task[AgentSession]") -> None:
    session = await begun
    await session.drain()
    await session.aclose()


def load(process: JobProcess) -> None:
    """The model is loaded before there is a job, and its first decode done."""
    engine = Moonshine()
    engine.transcribe([Clip(np.zeros(SAMPLE_RATE_HZ, np.float32))])
    process.userdata["engine"] = engine


def idle() -> float:
    """The load it reports."""
    return 0.0


server = AgentServer(setup_fnc=load, load_fnc=idle, host="127.0.0.1", port=int(os.environ.get("PEER_PORT", "0")))


@server.rtc_session(agent_name=os.environ.get("PEER_AGENT_NAME", "peer"))
async def attend(job: JobContext) -> None:
    """One room."""
    room = Room(job)
    job.add_shutdown_callback(room.close)
    await job.connect(auto_subscribe=AutoSubscribe.AUDIO_ONLY)
    for participant in job.room.remote_participants.values():
        room.hear(participant)


if __name__ == "__main__":
    cli.run_app(server)
