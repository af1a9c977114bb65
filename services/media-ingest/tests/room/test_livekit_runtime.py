"""What the native runtime says of itself."""

import os
import subprocess
import sys

import pytest

_CONNECTS = """
import asyncio, logging, os
logging.basicConfig(level=logging.DEBUG)
from roomscribe_media_ingest.adapters import livekit_runtime
livekit_runtime.load()
asyncio.run(livekit_runtime.warm_up())
livekit_runtime.dispose()
os._exit(0)
"""


@pytest.mark.parametrize(("levels", "heard"), [({}, False), ({"RUST_LOG": "debug"}, True)])
def test_the_runtime_logs_only_what_was_asked_for(levels: dict[str, str], heard: bool):
    environment = {name: value for name, value in os.environ.items() if name != "RUST_LOG"}
    done = subprocess.run(
        [sys.executable, "-c", _CONNECTS],
        env=environment | levels | {"LIVEKIT_RTC_DEBUG": "true"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ("livekit_" in done.stderr) == heard, done.stderr
