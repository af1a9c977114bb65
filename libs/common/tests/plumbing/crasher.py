"""A service that is killed in the middle of its first message."""

import asyncio
import os
import signal
import sys

from roomscribe_common.contracts.meeting import MeetingEnded
from roomscribe_common.delivery import Delivery
from roomscribe_common.process import run_service
from roomscribe_common.service import Service
from roomscribe_common.settings import CommonSettings


async def die(_: MeetingEnded, __: Delivery) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def build(service: Service[CommonSettings]) -> None:
    service.consume("gateway-meetings", die, MeetingEnded)


if __name__ == "__main__":
    asyncio.run(run_service("gateway", CommonSettings(nats_url=sys.argv[1]), build))
