"""Listens to one meeting's event stream, shows it, and keeps what came for the scorecard."""

import time
from dataclasses import dataclass, field

from roomscribe_common.contracts.insight import MinutesData
from roomscribe_common.contracts.transcript import TranscriptFinalData, TranscriptGapData, TranscriptInterimData

from roomscribe_cli.client import Gateway, ServerSentEvent
from roomscribe_cli.demo.scorecard import HeardFinal
from roomscribe_cli.demo.screen import Screen

_NOTES = {
    "meeting.participant_joined": "{name} joined",
    "meeting.participant_left": "{name} left",
    "meeting.started": "Roomscribe is in the room",
    "meeting.ended": "the meeting is over",
    "transcript.completed": "the transcript is complete",
}


@dataclass
class Listener:
    """What was heard: every final as it arrived, repetitions included."""

    screen: Screen
    finals: list[HeardFinal] = field(default_factory=list[HeardFinal])
    interims: int = 0
    gaps: dict[str, int] = field(default_factory=dict[str, int])
    minutes: MinutesData | None = None

    async def follow(self, gateway: Gateway, meeting: str) -> None:
        """Returns when the stream ends, which is after the minutes."""
        async for event in gateway.events(meeting):
            self._take(event)

    def _take(self, event: ServerSentEvent) -> None:
        if event.event == "transcript.final":
            data = TranscriptFinalData.model_validate(event.data)
            self.finals.append(HeardFinal(data, time.time()))
            self.screen.final(data)
        elif event.event == "transcript.interim":
            self.interims += 1
            self.screen.interim(TranscriptInterimData.model_validate(event.data))
        elif event.event == "transcript.gap":
            gap = TranscriptGapData.model_validate(event.data)
            self.gaps[gap.gap_id] = gap.end_ms - gap.start_ms
            self.screen.note(f"{gap.participant.name}: {(gap.end_ms - gap.start_ms) / 1000:.1f} s missing")
        elif event.event == "insight.minutes":
            self.minutes = MinutesData.model_validate(event.data)
        elif event.event in _NOTES:
            self.screen.note(_NOTES[event.event].format(name=event.data.get("participant", {}).get("name", "")))
