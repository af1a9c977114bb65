"""Ties a child process to the life of its parent."""

import shutil

from roomscribe_common.servers.account import Account


def bound_to_parent(argv: list[str], account: Account | None = None) -> list[str]:
    """Return `argv` so that it dies with the thread that starts it, even if that is killed, and runs as `account`.

    util-linux's setpriv sets the kernel's parent-death signal and then becomes the program.
    Where there is none (not Linux) the argv is returned as it is, and a killed parent leaves its children.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return argv
    drop = [f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"] if account else []
    return [setpriv, "--pdeathsig", "KILL", *drop, "--", *argv]
