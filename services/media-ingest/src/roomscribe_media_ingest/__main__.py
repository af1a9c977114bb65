"""Runs a media-ingest node: `python -m roomscribe_media_ingest`."""

from roomscribe_common.process import main

from roomscribe_media_ingest.app import NAME, build
from roomscribe_media_ingest.settings import IngestSettings

if __name__ == "__main__":
    main(NAME, IngestSettings, build)
