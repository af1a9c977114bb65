"""Ends a test run with its own status: livekit's native threads may abort a process that leaves in the usual way."""

import os
import sys
from typing import Final

import pytest

_SESSION: Final = pytest.StashKey[pytest.Session]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Keeps the session, which knows the status in the end."""
    session.config.stash[_SESSION] = session


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """All is closed and reported by now."""
    session = config.stash.get(_SESSION, None)
    if session is not None and "livekit.rtc" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(session.exitstatus))
