"""A whole process as the tests start it: `wait` runs until it is told to stop, `crash` fails in a task."""

import sys

from roomscribe_common.service import Service, main
from roomscribe_common.settings import CommonSettings


async def crash() -> None:
    raise ValueError("boom")


async def build(service: Service[CommonSettings]) -> None:
    if sys.argv[1] == "crash":
        service.spawn("crash", crash())


if __name__ == "__main__":
    main("test", CommonSettings, build)
