"""A model where it works, rules where it does not; the minutes say which."""

import logging
from dataclasses import replace

from roomscribe_summarizer.domain.transcript import Transcript
from roomscribe_summarizer.engines.protocol import Engine, EngineFailed, Written

log = logging.getLogger(__name__)


class WithFallback:
    """Asks `first`, and `second` if it fails. The tokens a failure took are counted all the same."""

    def __init__(self, first: Engine, second: Engine) -> None:
        self._first = first
        self._second = second

    async def write(self, transcript: Transcript) -> Written:
        """The draft of whichever engine made it. Raises `EngineFailed` if the second fails too."""
        try:
            return await self._first.write(transcript)
        except EngineFailed as failure:
            log.warning("the model made no minutes, taking sentences instead", extra={"reason": failure.reason})
            written = await self._second.write(transcript)
            return replace(written, spent=(*failure.spent, *written.spent))
