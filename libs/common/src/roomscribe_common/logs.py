"""Structured logs: a static message, values as fields, trace, tenant and meeting ids on every line.

`log.info("meeting started", extra={"epoch": 1})`. Fields whose name starts with `pii.` are dropped unless enabled.
"""

import json
import logging
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from opentelemetry import trace
from pydantic import ValidationError

from roomscribe_common.reader import why

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_NOISY = ("nats", "faststream", "opentelemetry", "asyncio", "urllib3")
_bound: ContextVar[dict[str, str] | None] = ContextVar("roomscribe_log_fields", default=None)


@contextmanager
def bound(**fields: str | None) -> Generator[None]:
    """Adds fields (`tenant`, `meeting`) to every line logged inside the block, in this task and those it starts."""
    token = _bound.set({**(_bound.get() or {}), **{k: v for k, v in fields.items() if v is not None}})
    try:
        yield
    finally:
        _bound.reset(token)


def failure(error: BaseException) -> str:
    """An error in one line. A validation error is told without its values, for they may quote what was said."""
    text = why(error) if isinstance(error, ValidationError) else str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class _Fields:
    def __init__(self, service: str, instance: str, keep_pii: bool) -> None:
        self._always = {"service": service, "instance": instance}
        self._keep_pii = keep_pii

    def of(self, record: logging.LogRecord) -> dict[str, Any]:
        """The record's fields in reading order."""
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "logger": record.name,
            **self._always,
            **(_bound.get() or {}),
        }
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            fields["trace_id"] = trace.format_trace_id(span.trace_id)
            fields["span_id"] = trace.format_span_id(span.span_id)
        fields |= {k: v for k, v in vars(record).items() if k not in _PLAIN and self._may_show(k)}
        if record.exc_info and record.exc_info[1]:
            fields["error"] = failure(record.exc_info[1])
            frames = traceback.extract_tb(record.exc_info[2])
            fields["at"] = [f"{f.filename.rsplit('/site-packages/')[-1]}:{f.lineno} {f.name}" for f in frames[-8:]]
        return fields

    def _may_show(self, key: str) -> bool:
        return self._keep_pii or not key.startswith("pii.")


class _Json(logging.Formatter):
    def __init__(self, fields: _Fields) -> None:
        super().__init__()
        self._fields = fields

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self._fields.of(record), default=str, ensure_ascii=False)


class _Console(logging.Formatter):
    def __init__(self, fields: _Fields) -> None:
        super().__init__()
        self._fields = fields

    def format(self, record: logging.LogRecord) -> str:
        fields = self._fields.of(record)
        head = f"{fields.pop('time')[11:23]} {fields.pop('level'):7} {fields.pop('service')}: {fields.pop('message')}"
        for name in ("logger", "instance", "span_id"):
            fields.pop(name, None)
        return " ".join([head, *(f"{k}={v}" for k, v in fields.items())])


def configure(
    service: str,
    instance: str,
    *,
    level: str = "info",
    form: Literal["json", "console"] = "json",
    keep_pii: bool = False,
    stream: TextIO | None = None,
) -> None:
    """Makes the root logger write one line a record to `stream` (standard error). Libraries speak from warnings on."""
    fields = _Fields(service, instance, keep_pii)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Json(fields) if form == "json" else _Console(fields))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
