"""Attribution that is killed the moment its first segment is stored: before the final it came from is acked."""

import os
import signal

from nats.js.api import PubAck
from roomscribe_attribution.app import build
from roomscribe_attribution.settings import AttributionSettings
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.process import main
from roomscribe_common.service import Service


class LastWords(Bus):
    async def publish(
        self, event: AnyEvent, *, expected_last_subject_sequence: int | None = None, deadline_s: float = 30.0
    ) -> PubAck:
        await super().publish(
            event, expected_last_subject_sequence=expected_last_subject_sequence, deadline_s=deadline_s
        )
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("survived SIGKILL")


async def build_mortal(service: Service[AttributionSettings]) -> None:
    service.bus = LastWords(service.nc, service.js, service.name, service.tracer)
    await build(service)


if __name__ == "__main__":
    main("attribution", AttributionSettings, build_mortal)
