"""A dispatcher that is killed the moment it has claimed a meeting in Redis, before anybody else heard of it."""

import os
import signal

from roomscribe_common.lease import Leases
from roomscribe_common.process import main
from roomscribe_dispatcher.app import build
from roomscribe_dispatcher.settings import DispatcherSettings


async def die(self: Leases, meeting_id: str, placement_s: float = 0) -> int:
    """The first thing a dispatcher does once it has claimed a meeting."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("survived SIGKILL")


if __name__ == "__main__":
    Leases.next_epoch = die
    main("dispatcher", DispatcherSettings, build)
