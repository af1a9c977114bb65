"""The environment the peer runs in: made once into the cache, from locked hashes."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from roomscribe_common.servers.build import cache_folder

from benchmarks.report import CouldNotRun

_REQUIREMENTS = Path(__file__).with_name("requirements.txt")
_INSTALL_S = 600
_PYTHON = "3.11"


def obtain() -> Path:
    """Its Python. Built where it is missing; raises `CouldNotRun` if that fails."""
    digest = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()[:12]
    folder = cache_folder().parent / "peers" / f"livekit-agents-{digest}"
    python, whole = folder / "bin" / "python", folder / "whole"
    if not whole.exists():
        print(f"installing LiveKit Agents into {folder}, outside our own environment …")
        shutil.rmtree(folder, ignore_errors=True)
        _uv("venv", "--quiet", "--python", _PYTHON, str(folder))
        _uv("pip", "install", "--quiet", "--python", str(python), "--require-hashes", "-r", str(_REQUIREMENTS))
        whole.touch()
    return python


def _uv(*arguments: str) -> None:
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        raise CouldNotRun("uv is needed to install LiveKit Agents, and is not on PATH")
    try:
        subprocess.run([uv, *arguments], check=True, timeout=_INSTALL_S)
    except (OSError, subprocess.SubprocessError) as error:
        raise CouldNotRun(f"LiveKit Agents could not be installed: {error}") from error
