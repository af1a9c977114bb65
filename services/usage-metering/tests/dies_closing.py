"""Usage-metering that is killed while it closes a period (`before` the commit) or when it has (`after` it)."""

import os
import signal
import sys

from roomscribe_common.process import main
from roomscribe_usage_metering import app
from roomscribe_usage_metering.adapters import closes
from roomscribe_usage_metering.adapters.outbox import Outbox, Waiting
from roomscribe_usage_metering.settings import Settings


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class LastWords(Outbox):
    async def unsent(self, limit: int) -> list[Waiting]:
        waiting = await super().unsent(limit)
        if any(one.kind == "billing.v1.invoice_issued" for one in waiting):
            die()
        return waiting


if __name__ == "__main__":
    if sys.argv[1] == "before":
        closes.issue = die  # the period is closed in the transaction, its invoice is not kept yet
    else:
        app.Outbox = LastWords  # pyright: ignore[reportPrivateImportUsage]  # the one class this process dies in
    main(app.NAME, Settings, app.build)
