"""Waiting for a condition, with a deadline."""

import time
from collections.abc import Callable


def until(condition: Callable[[], bool], *, timeout_s: float, every_s: float = 0.02) -> bool:
    """Ask `condition` until it holds (True) or the time is up (False). It is asked at least once."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every_s)
    return True
