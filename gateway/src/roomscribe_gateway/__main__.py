"""`python -m roomscribe_gateway` serves; `python -m roomscribe_gateway rebuild` fills the archive anew."""

import asyncio
import sys

from roomscribe_common import connection
from roomscribe_common.errors import Retryable
from roomscribe_common.process import main
from roomscribe_common.settings import BadSettings, load

from roomscribe_gateway.app import build
from roomscribe_gateway.archive.database import open_engine
from roomscribe_gateway.archive.rebuild import rebuild
from roomscribe_gateway.settings import GatewaySettings, RebuildSettings


async def _rebuild(settings: RebuildSettings) -> None:
    engine = open_engine(settings.database_url)
    nc = await connection.connect(settings.nats_url, "gateway/rebuild", timeout_s=settings.start_timeout_s)
    try:
        applied = await rebuild(nc, engine)
    finally:
        await connection.close(nc)
        await engine.dispose()
    counts = ", ".join(f"{count} of {stream}" for stream, count in applied.items())
    sys.stdout.write(f"archive rebuilt from {counts}\n")


def _rebuild_main() -> None:
    try:
        asyncio.run(_rebuild(load(RebuildSettings)))
    except (BadSettings, connection.Unreachable, Retryable) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            main("gateway", GatewaySettings, build)
        case ["rebuild"]:
            _rebuild_main()
        case _:
            sys.exit("usage: python -m roomscribe_gateway [rebuild]")
