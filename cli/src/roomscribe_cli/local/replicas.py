"""How many of each service run, and their names: `stt-worker`, `stt-worker-2`, …"""

import re

from roomscribe_cli.local.record import SERVICES, StackError

_MOST = 16
_ONE_ONLY = "gateway"  # people and LiveKit's webhooks know its one address


def parse_replicas(text: str) -> dict[str, int]:
    """`stt-worker=2,media-ingest=3` as a table. Raises StackError that says what is wrong with it."""
    replicas: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        service, _, number = part.partition("=")
        if service not in SERVICES or service == _ONE_ONLY:
            can = ", ".join(name for name in SERVICES if name != _ONE_ONLY)
            raise StackError(f"--replicas: there are no replicas of {service!r}; there are of {can}")
        if not re.fullmatch(r"[0-9]{1,3}", number) or not 1 <= int(number) <= _MOST:
            raise StackError(f"--replicas: {part!r} should be {service}= and a number from 1 to {_MOST}")
        replicas[service] = int(number)
    return replicas


def process_names(replicas: dict[str, int]) -> list[str]:
    """The process of every replica; services that are not named in `replicas` have one."""
    return [
        service if number == 1 else f"{service}-{number}"
        for service in SERVICES
        for number in range(1, replicas.get(service, 1) + 1)
    ]


def service_of(process: str) -> str:
    """The service whose replica a process is; a server's own name."""
    base, _, number = process.rpartition("-")
    return base if base in SERVICES and number.isdigit() else process
