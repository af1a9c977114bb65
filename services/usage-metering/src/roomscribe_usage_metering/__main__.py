"""Runs the service: `python -m roomscribe_usage_metering`."""

from roomscribe_common.process import main

from roomscribe_usage_metering.app import NAME, build
from roomscribe_usage_metering.settings import Settings

if __name__ == "__main__":
    main(NAME, Settings, build)
