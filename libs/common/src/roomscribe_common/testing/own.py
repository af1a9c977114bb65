"""A server of a test's own, to stop, kill and start again; its state survives it."""

import logging
from collections.abc import Generator
from contextlib import contextmanager

from roomscribe_common.servers import LocalServer, ServerSpec, obtain


@contextmanager
def own_server(spec: ServerSpec) -> Generator[LocalServer]:
    """The server, ready; killed when the block is left."""
    own = LocalServer(spec, obtain(spec.name, logging.info))
    own.start()
    try:
        own.wait_ready()
        yield own
    finally:
        own.kill()
