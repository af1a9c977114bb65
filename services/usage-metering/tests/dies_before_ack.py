"""Usage-metering that is killed the moment its first evidence is committed: before the event it came from is acked."""

import os
import signal
from collections.abc import Sequence

from roomscribe_common.process import main
from roomscribe_usage_metering import app
from roomscribe_usage_metering.adapters.store import EvidenceStore
from roomscribe_usage_metering.domain.evidence import Record
from roomscribe_usage_metering.settings import Settings


class LastWords(EvidenceStore):
    async def add(self, records: Sequence[Record], now_ms: int) -> int:
        await super().add(records, now_ms)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("survived SIGKILL")


if __name__ == "__main__":
    app.EvidenceStore = LastWords  # pyright: ignore[reportPrivateImportUsage]  # the one class this process dies in
    main(app.NAME, Settings, app.build)
