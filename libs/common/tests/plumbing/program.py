"""A whole process as the tests start it.

`wait` runs until it is told to stop, `crash` fails in a task; `drain` never has drained, `brief` has at once.
"""

import asyncio
import logging
import sys

from roomscribe_common.process import main
from roomscribe_common.service import Service
from roomscribe_common.settings import CommonSettings

log = logging.getLogger(__name__)


async def crash() -> None:
    raise ValueError("boom")


async def build(service: Service[CommonSettings]) -> None:
    async def drain() -> None:
        log.info(f"draining with state {service.health.state}")
        try:
            await asyncio.Event().wait()
        finally:
            log.info("drain cut short")

    async def brief() -> None:
        log.info("drained")

    match sys.argv[1]:
        case "crash":
            service.spawn("crash", crash())
        case "drain":
            service.before_stop(drain)
        case "brief":
            service.before_stop(brief)
        case _:
            return


if __name__ == "__main__":
    main("test", CommonSettings, build)
