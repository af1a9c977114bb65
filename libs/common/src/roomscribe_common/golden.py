"""Golden schemas: what the bus promised. `check` compares them with the code, `write` renews them and the docs.

Within a major version only optional fields may be added; any other difference is reported as incompatible and
needs a `v2` beside the old message.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.registry import MESSAGES, Message

HERE = Path(__file__).parent
SCHEMAS = HERE / "schemas"
EXAMPLES = HERE / "examples"

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between a golden file and the code."""

    message: str
    text: str
    compatible: bool

    def __str__(self) -> str:
        kind = "compatible" if self.compatible else "INCOMPATIBLE"
        return f"{self.message}: {kind}: {self.text}"


def schema_of(message: Message) -> Schema:
    """The JSON schema of a message as the code has it now."""
    return message.event.model_json_schema(mode="validation")


def _resolve(node: Schema, root: Schema) -> Schema:
    while "$ref" in node:
        node = cast(Schema, root["$defs"][node["$ref"].rsplit("/", 1)[-1]])
    return node


def _fields(node: Schema, root: Schema, path: str = "") -> Iterator[tuple[str, bool, Schema]]:
    """Every field as (path, required, its schema without what is below it), depth first; recursion ends at 8."""
    node = _resolve(node, root)
    if path.count(".") > 8:
        return
    for option in node.get("anyOf", []):
        yield from _fields(option, root, path)
    if "items" in node:
        yield from _fields(node["items"], root, f"{path}[]")
    for name, field in node.get("properties", {}).items():
        below = _resolve(field, root)
        yield f"{path}.{name}".lstrip("."), name in node.get("required", []), below
        yield from _fields(below, root, f"{path}.{name}".lstrip("."))


def _narrowed(old: Schema, new: Schema) -> str | None:
    """How `new` refuses what `old` allowed, or None."""
    if old.get("type") != new.get("type"):
        return f"type was {old.get('type')}, is {new.get('type')}"
    gone = [value for value in old.get("enum", []) if value not in new.get("enum", [])]
    if gone or ("enum" in new and "enum" not in old):
        return f"values no longer allowed: {gone or 'all but ' + str(new['enum'])}"
    if old.get("const") != new.get("const") or old.get("pattern") != new.get("pattern"):
        return "constant or pattern changed"
    for bound, tighter in (
        ("maxLength", min),
        ("maximum", min),
        ("maxItems", min),
        ("minimum", max),
        ("minItems", max),
    ):
        if bound in new and (
            bound not in old or (new[bound] != old[bound] and tighter(new[bound], old[bound]) == new[bound])
        ):
            return f"{bound} was {old.get(bound, 'unbounded')}, is {new[bound]}"
    return None


def compare(name: str, old: Schema, new: Schema) -> list[Finding]:
    """The differences, field by field. Text changes (titles, descriptions) count as compatible."""
    before = {path: (required, field) for path, required, field in _fields(old, old)}
    after = {path: (required, field) for path, required, field in _fields(new, new)}
    found = [Finding(name, f"field {path} is gone", False) for path in before.keys() - after.keys()]
    for path, (required, field) in after.items():
        if path not in before:
            found.append(Finding(name, f"new {'required' if required else 'optional'} field {path}", not required))
            continue
        was_required, was = before[path]
        if required and not was_required:
            found.append(Finding(name, f"field {path} became required", False))
        if was_required and not required:
            found.append(Finding(name, f"field {path} became optional: readers rely on it", False))
        if (reason := _narrowed(was, field)) is not None:
            found.append(Finding(name, f"field {path}: {reason}", False))
    if not found and old != new:
        found.append(Finding(name, "texts, defaults or bounds of the schema differ", True))
    return sorted(found, key=lambda f: (f.compatible, f.text))


def check_example(message: Message) -> Iterator[Finding]:
    """The committed example must be read by the class and written again as it is."""
    path = EXAMPLES / f"{message.type}.json"
    if not path.exists():
        yield Finding(message.type, f"no example at examples/{path.name}", False)
        return
    raw = path.read_bytes()
    try:
        event: AnyEvent = TypeAdapter(message.event).validate_json(raw)
    except ValidationError as error:
        yield Finding(
            message.type, f"the example is refused: {error.errors()[0]['loc']} {error.errors()[0]['msg']}", False
        )
        return
    if json.loads(event.to_bytes()) != json.loads(raw):
        yield Finding(message.type, "the example is not written again as it was read", False)


def check(schemas: Path = SCHEMAS) -> list[Finding]:
    """All differences between golden files and code; empty if none."""
    found: list[Finding] = []
    for message in MESSAGES:
        path = schemas / f"{message.type}.json"
        if path.exists():
            found += compare(message.type, json.loads(path.read_text()), schema_of(message))
        else:
            found.append(Finding(message.type, "new message: no golden schema yet", True))
        found += check_example(message)
    known = {f"{message.type}.json" for message in MESSAGES}
    gone = [path for path in sorted(schemas.glob("*.json")) if path.name not in known]
    return found + [Finding(path.stem, "the message is gone from the registry", False) for path in gone]


def messages_markdown() -> str:
    """`docs/messages.md`, from the registry."""
    rows = [
        f"| `{m.subject}` | {m.stream or 'core only'} | {', '.join(m.producers)} | {', '.join(m.consumers) or '–'} "
        f"| {'public' if m.public else 'internal'} |"
        for m in MESSAGES
    ]
    parts = [
        "# Messages",
        "",
        "Generated from `roomscribe_common.registry` by `make contracts`; do not edit.",
        "",
        "Every message but audio is a CloudEvents 1.0 event in JSON (`specversion`, `id`, `source`, `type`, `time`,",
        "`subject`, `tenant`, `data`). Ids and times are the producer's. A message that is sent again has the same id.",
        "Readers ignore fields they do not know; within `v1` only optional fields are added.",
        "",
        "| subject | stream | from | to | |",
        "|---|---|---|---|---|",
        *rows,
        "| `audio.v1.chunk.<tenant>.<meeting>.<track>.<utterance>` | AUDIO | media-ingest | stt-worker | internal |",
        "| `audio.v1.begun.<tenant>.<meeting>.<track>.<utterance>` | AUDIO | stt-worker | stt-worker | internal |",
        "",
        "Audio chunks are raw 16-bit little-endian mono PCM at 16 kHz; their headers are in `contracts/audio.py`.",
    ]
    for message in MESSAGES:
        example = json.dumps(json.loads((EXAMPLES / f"{message.type}.json").read_text()), indent=2)
        doc = (message.event.__doc__ or "").strip()
        parts += ["", f"## {message.type}", "", doc, "", "```json", example, "```"]
    return "\n".join(parts) + "\n"


def write(docs: Path | None) -> None:
    """Make the golden schemas, and `docs/messages.md` if its folder is given, equal to the code."""
    SCHEMAS.mkdir(exist_ok=True)
    for message in MESSAGES:
        text = json.dumps(schema_of(message), indent=1, sort_keys=True) + "\n"
        (SCHEMAS / f"{message.type}.json").write_text(text)
    if docs is not None:
        (docs / "messages.md").write_text(messages_markdown())


def main(argv: list[str] | None = None) -> int:
    """`check` or `write`; exit status 1 if the check finds anything."""
    parser = argparse.ArgumentParser(prog="roomscribe_common.golden", description=__doc__)
    parser.add_argument("command", choices=["check", "write"])
    parser.add_argument("--docs", type=Path, help="folder that holds messages.md")
    args = parser.parse_args(argv)
    if args.command == "write":
        write(args.docs)
        return 0
    found = check()
    if args.docs is not None and (args.docs / "messages.md").read_text() != messages_markdown():
        found.append(Finding("docs/messages.md", "differs from the registry", True))
    for finding in found:
        sys.stdout.write(f"{finding}\n")
    if found:
        sys.stdout.write("A compatible change: run `make contracts`. An incompatible one: make a v2 beside it.\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
