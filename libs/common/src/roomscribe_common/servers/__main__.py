"""`python -m roomscribe_common.servers [NAME…]`: finds or builds these servers (else all), and says where they are."""

import sys

from roomscribe_common.servers.find import MissingServerError, obtain
from roomscribe_common.servers.kinds import KINDS


def main() -> int:
    """Return 1 if one cannot be had."""
    missing = False
    wanted = sys.argv[1:]
    for name in KINDS:
        if wanted and name not in wanted:
            continue
        try:
            program = obtain(name, _say)
        except MissingServerError as error:
            _say(f"{name}: {error}")
            missing = True
        else:
            _say(f"{name} {program.version}: {program.path}")
    return 1 if missing else 0


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
