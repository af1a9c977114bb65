"""Ties a child process to the life of its parent."""

import shutil
from typing import Literal

from roomscribe_common.servers.account import Account


def bound_to_parent(
    argv: list[str], account: Account | None = None, signal: Literal["KILL", "TERM"] = "KILL"
) -> list[str]:
    """Return `argv` so that it is sent `signal` when the thread that starts it is gone, even if that is killed; it
    runs as `account`.

    util-linux's setpriv sets the kernel's parent-death signal and then becomes the program.
    Where there is none (not Linux) the argv is returned as it is, and a killed parent leaves its children.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return argv
    drop = [f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"] if account else []
    return [setpriv, "--pdeathsig", signal, *drop, "--", *argv]
