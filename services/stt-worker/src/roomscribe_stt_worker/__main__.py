"""`python -m roomscribe_stt_worker`."""

from roomscribe_common.process import main

from roomscribe_stt_worker.app import build
from roomscribe_stt_worker.settings import SttSettings

if __name__ == "__main__":
    main("stt-worker", SttSettings, build)
