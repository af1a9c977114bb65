"""`python -m roomscribe_attribution`."""

from roomscribe_common.process import main

from roomscribe_attribution.app import build
from roomscribe_attribution.settings import AttributionSettings

if __name__ == "__main__":
    main("attribution", AttributionSettings, build)
