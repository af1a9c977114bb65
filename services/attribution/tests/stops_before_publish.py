"""Attribution that is paused (SIGSTOP) in the moment before its first segment is published, its number chosen."""

import os
import signal

from nats.js.api import PubAck
from roomscribe_attribution.app import build
from roomscribe_attribution.settings import AttributionSettings
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.process import main
from roomscribe_common.service import Service


class Hesitating(Bus):
    _paused = False

    async def publish(
        self, event: AnyEvent, *, expected_last_subject_sequence: int | None = None, deadline_s: float = 30.0
    ) -> PubAck:
        if not self._paused:
            self._paused = True
            os.kill(os.getpid(), signal.SIGSTOP)
        return await super().publish(
            event, expected_last_subject_sequence=expected_last_subject_sequence, deadline_s=deadline_s
        )


async def build_hesitating(service: Service[AttributionSettings]) -> None:
    service.bus = Hesitating(service.nc, service.js, service.name, service.tracer)
    await build(service)


if __name__ == "__main__":
    main("attribution", AttributionSettings, build_hesitating)
