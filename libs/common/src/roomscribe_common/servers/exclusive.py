"""A file lock that the kernel drops when its holder dies."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from roomscribe_common.servers.wait import until


class Busy(Exception):
    """Another process holds the lock."""


@contextmanager
def exclusive(path: Path, timeout_s: float = 0.0) -> Generator[IO[str]]:
    """Hold the lock on `path`, waiting at most `timeout_s`; raises Busy."""
    with path.open("a+") as file:
        if not until(lambda: _try_lock(file), timeout_s=timeout_s, every_s=0.2):
            raise Busy(path)
        yield file


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
