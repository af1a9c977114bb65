"""Whether an utterance gets on, by which its claim is kept or left to another worker."""

import contextlib
import time
from collections.abc import Generator


class Progress:
    """When an utterance last got on. Waiting in line, or for a decode, is getting on: others look after those."""

    def __init__(self) -> None:
        self._made_at = time.monotonic()
        self._waits = 0
        self.attempt = 0
        """The how manieth this is, counted over all workers; 0 until it began."""

    def made(self) -> None:
        """Something came, or was done."""
        self._made_at = time.monotonic()

    @contextlib.contextmanager
    def waiting(self) -> Generator[None]:
        """Until the end of the block nothing is expected."""
        self._waits += 1
        try:
            yield
        finally:
            self._waits -= 1
            self.made()

    @property
    def age_s(self) -> float:
        """Seconds since; 0 while it waits."""
        return 0.0 if self._waits else time.monotonic() - self._made_at
