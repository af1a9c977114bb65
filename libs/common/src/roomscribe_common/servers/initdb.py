"""Makes PostgreSQL fit to be run: a program that its user can read, and a data folder."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from roomscribe_common.servers.account import Account
from roomscribe_common.servers.find import Program
from roomscribe_common.servers.run import ServerFailedError
from roomscribe_common.servers.spec import ServerSpec

_INITDB_TIMEOUT_S = 60.0


def readable_postgres(spec: ServerSpec, program: Program, account: Account | None) -> Program:
    """Return a program that `account` can run: a copy, if it lies in an environment that may be closed to others."""
    if account is None or program.origin != "environment":
        return program
    site, copy = program.path.parents[3], spec.folder / "program"
    install = program.path.parents[1].relative_to(site)
    # The wheel keeps its libraries beside its package; both find each other by their relative place.
    for part in (install, Path(f"{install.parts[0]}.libs")):
        shutil.copytree(site / part, copy / part)
    return replace(program, path=copy / program.path.relative_to(site))


def initialise_postgres(spec: ServerSpec, program: Program, account: Account | None) -> None:
    """Create the data folder of a PostgreSQL that has none yet, owned by `account`."""
    data = spec.folder / "data"
    if data.exists():
        return
    if account is not None:
        os.chown(spec.folder, account.uid, account.gid)
    options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    done = subprocess.run(
        [program.path.resolve().with_name("initdb"), "-D", data, *options],
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        cwd=spec.folder,
        capture_output=True,
        text=True,
        timeout=_INITDB_TIMEOUT_S,
    )
    if done.returncode != 0:
        raise ServerFailedError(f"initdb failed: {done.stderr.strip()[-800:]}")
