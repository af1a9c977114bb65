"""Sets an invoice's pages as PDF, each in a process of its own: it may be killed, and what it took goes with it."""

import asyncio
import json
import logging
import sys
from typing import Any

from roomscribe_common.errors import Retryable

log = logging.getLogger(__name__)

_WITHIN_S = 30.0
_AT_ONCE = 2


class Typesetter:
    """At most two files are set at once; who asks for a third waits."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def pdf(self, pages: dict[str, Any]) -> bytes:
        """The file of `pages.pages`. Raises `Retryable` if it is not ready in 30 s or its process died."""
        try:
            async with asyncio.timeout(_WITHIN_S), self._slots:
                return await _set(json.dumps(pages).encode())
        except TimeoutError as error:
            raise Retryable(f"the PDF was not ready in {_WITHIN_S:g} s") from error


async def _set(content: bytes) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "roomscribe_gateway.invoice_files",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        file, _ = await process.communicate(content)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        log.error("typesetting failed", extra={"status": process.returncode})
        raise Retryable("the PDF could not be made")
    return file
