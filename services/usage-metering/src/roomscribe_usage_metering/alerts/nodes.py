"""Reads the counters of a LiveKit node: Prometheus text over HTTP."""

from functools import partial
from hashlib import sha256

import aiohttp

from roomscribe_usage_metering.alerts.drift import NodeUnavailable, ReadNode
from roomscribe_usage_metering.reconciling import bytes_sent

_TIMEOUT = aiohttp.ClientTimeout(total=10)
_LARGEST_BYTES = 20_000_000


def readers(session: aiohttp.ClientSession, urls: list[str]) -> dict[str, ReadNode]:
    """One for each address, by a short name that holds no secret of it."""
    return {f"node-{sha256(url.encode()).hexdigest()[:16]}": partial(_read, session, url) for url in urls}


async def _read(session: aiohttp.ClientSession, url: str) -> int:
    try:
        async with session.get(url, timeout=_TIMEOUT) as response:
            response.raise_for_status()
            body = b""
            async for chunk in response.content.iter_chunked(65_536):
                body += chunk
                if len(body) > _LARGEST_BYTES:
                    raise NodeUnavailable(f"more than {_LARGEST_BYTES} bytes")
        return bytes_sent(body.decode())
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise NodeUnavailable(type(error).__name__) from error
