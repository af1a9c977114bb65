"""The user a server runs as: PostgreSQL refuses to run as root."""

import os
import pwd
from dataclasses import dataclass


@dataclass(frozen=True)
class Account:
    """A user and a group of this machine, by number."""

    uid: int
    gid: int


def unprivileged_account() -> Account | None:
    """Return whom to run as instead of root, or None if we are not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    return Account(65534, 65534)
