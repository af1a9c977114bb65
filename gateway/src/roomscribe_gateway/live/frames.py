"""Server-sent events on the wire (WHATWG HTML §9.2)."""

from roomscribe_common.contracts.base import AnyEvent

KEEP_ALIVE = b": keep-alive\n\n"
_BREAKS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}


def name_of(type_: str) -> str:
    """`transcript.v1.final` → `transcript.final`."""
    domain, _, event = type_.split(".", 2)
    return f"{domain}.{event}"


def frame(event: AnyEvent, id: str | None) -> bytes:
    """The event; without `id` the reader's last id stays."""
    return _frame(name_of(event.TYPE), event.data.model_dump_json(exclude_none=True), id)


def end_frame(reason: str) -> bytes:
    """Nothing more will come."""
    return _frame("end", f'{{"reason":"{reason}"}}', None)


def _frame(name: str, data: str, id: str | None) -> bytes:
    # JSON has no raw line breaks, so one data line holds it; but some readers break lines at more than the standard's.
    head = f"id: {id}\n" if id else ""
    return f"{head}event: {name}\ndata: {data.translate(_BREAKS)}\n\n".encode()
