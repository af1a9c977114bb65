"""What both commands share: refusals, the request file, the report."""

import json
import os
import sys
import webbrowser
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

import typer
from pydantic import BaseModel, ValidationError
from roomscribe_common.errors import ProblemError, field_name

RequestT = TypeVar("RequestT", bound=BaseModel)
_LARGEST_BYTES = 1_000_000


def fail(command: str, message: str) -> NoReturn:
    """Says what is wrong and ends with exit status 2."""
    sys.stderr.write(f"roomscribe {command}: {message}\n")
    raise typer.Exit(2)


def request_of(command: str, model: type[RequestT], file: Path | None, given: dict[str, Any]) -> RequestT:
    """The request in the file, with the options given on top of it; a refusal names each field."""
    base = _from_file(command, file) if file is not None else {}
    try:
        return model.model_validate(_merged(base, given))
    except ValidationError as error:
        lines = [f"{field_name(one['loc'])}: {_words(one['msg'])}" for one in error.errors(include_url=False)]
        fail(command, "\n  ".join(["the request is refused:", *lines]))


def _words(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Extra inputs are not permitted", "unknown field")


def _from_file(command: str, file: Path) -> dict[str, Any]:
    try:
        if file.is_file() and file.stat().st_size > _LARGEST_BYTES:
            fail(command, f"{file} is larger than {_LARGEST_BYTES} bytes")
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        fail(command, f"{file} cannot be read as JSON: {error}")
    if not isinstance(found, dict):
        fail(command, f"{file} must hold one JSON object")
    return cast(dict[str, Any], found)


def _merged(base: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in given.items():
        part, dot, field = name.partition(".")
        if not dot:
            merged[name] = value
        else:
            inner = merged.get(part)
            merged[part] = {**(cast(dict[str, Any], inner) if isinstance(inner, dict) else {}), field: value}
    return merged


def refusal(command: str, error: ProblemError) -> NoReturn:
    """The engine's refusal."""
    fail(command, error.problem.detail)


def write_report(command: str, html: str, out: Path) -> None:
    """Writes the page and shows it in a browser, where there is a screen."""
    try:
        out.write_text(html, "utf-8")
    except OSError as error:
        fail(command, f"cannot write {out}: {error.strerror}; name another file with --out")
    sys.stderr.write(f"Report: {out}\n")
    # Without a screen Python would start a browser in the terminal and wait for it.
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(out.resolve().as_uri())
