"""Leaps of the wall clock are told."""

import asyncio
import contextlib
import logging
import time

import pytest
from opentelemetry.metrics import NoOpMeterProvider
from roomscribe_common.clock import watch_clock
from roomscribe_common.testing.until import until

METER = NoOpMeterProvider().get_meter("test")


@pytest.mark.parametrize(("leap_s", "said"), [(-3600.0, "set back"), (3600.0, "set forward")])
async def test_a_clock_that_was_set_is_told(
    leap_s: float, said: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_time = time.time
    watching = asyncio.create_task(watch_clock(METER, 0.01))
    await asyncio.sleep(0)
    monkeypatch.setattr(time, "time", lambda: true_time() + leap_s)

    async def told() -> bool:
        return bool(leaps(caplog))

    await until(told)
    monkeypatch.undo()
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    assert [said in record.getMessage() for record in leaps(caplog)[:1]] == [True]


def leaps(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "roomscribe_common.clock"]
