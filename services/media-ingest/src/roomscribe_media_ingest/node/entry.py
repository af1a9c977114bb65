"""Where a room process begins; the node itself never loads what only its children need."""

import socket

from roomscribe_media_ingest.settings import IngestSettings


def enter(end: socket.socket, settings: IngestSettings) -> None:
    """Runs in the child."""
    from roomscribe_media_ingest.room.process import main

    main(end, settings)
