"""Finds a server's program: on PATH, in this environment, in the cache; else builds it once."""

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from roomscribe_common.servers.build import BuildFailedError, build, cached_path
from roomscribe_common.servers.kinds import KINDS, Kind, ServerName

_VERSION_TIMEOUT_S = 15.0


class MissingServerError(Exception):
    """No usable program for a server; the message says where was looked and how to get one."""


@dataclass(frozen=True)
class Program:
    """A program that is new enough. `origin` is "PATH", "environment", "cache" or a folder."""

    path: Path
    version: str
    origin: str


def find_program(name: ServerName) -> Program:
    """Return the first usable program without building anything; raises MissingServerError."""
    kind = KINDS[name]
    refused: list[str] = []
    for origin, path in _candidates(kind):
        version = program_version(path)
        if version is not None and _pair(version) >= kind.oldest:
            return Program(path=path, version=version, origin=origin)
        refused.append(f"{path} is {version or 'not runnable'}")
    oldest = ".".join(map(str, kind.oldest))
    seen = f" ({'; '.join(refused)})" if refused else ""
    raise MissingServerError(f"{kind.program} {oldest} or newer was not found{seen}: {kind.cure}")


def obtain(name: ServerName, say: Callable[[str], None]) -> Program:
    """Return a usable program, building it into the cache if that is the only way.

    `say` gets progress lines. Raises MissingServerError with the reason and the cure.
    """
    try:
        return find_program(name)
    except MissingServerError as missing:
        kind = KINDS[name]
        if kind.source is None:
            raise
        try:
            build(kind, say)
        except BuildFailedError as error:
            raise MissingServerError(f"{missing}. Building it failed: {error}") from error
        return find_program(name)


def environment_bin() -> Path:
    """The folder where wheels of this environment put their programs."""
    return Path(sys.executable).parent


def program_version(path: Path) -> str | None:
    """Return `1.2.3` as the program tells it, or None if it cannot be run."""
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=_VERSION_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout)
    return found.group() if found else None


def _candidates(kind: Kind) -> Iterator[tuple[str, Path]]:
    if on_path := shutil.which(kind.program):
        yield "PATH", Path(on_path)
    for folder in sorted((match for pattern in kind.folders for match in glob(pattern)), reverse=True):
        if (there := Path(folder) / kind.program).is_file():
            yield folder, there
    if (own := _of_environment(kind)).is_file():
        yield "environment", own
    if (cached := cached_path(kind)) and cached.is_file():
        yield "cache", cached


def _of_environment(kind: Kind) -> Path:
    if kind.wheel_folder:
        return Path(sysconfig.get_path("platlib")) / kind.wheel_folder / kind.program
    return environment_bin() / kind.program


def _pair(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)
