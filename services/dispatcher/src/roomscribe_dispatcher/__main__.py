"""`python -m roomscribe_dispatcher`."""

from roomscribe_common.process import main

from roomscribe_dispatcher.app import build
from roomscribe_dispatcher.settings import DispatcherSettings

if __name__ == "__main__":
    main("dispatcher", DispatcherSettings, build)
