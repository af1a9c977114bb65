"""Runs the service: `python -m roomscribe_summarizer`."""

from roomscribe_common.process import main

from roomscribe_summarizer.app import NAME, build
from roomscribe_summarizer.settings import Settings

if __name__ == "__main__":
    main(NAME, Settings, build)
