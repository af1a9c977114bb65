"""The folder a demonstration leaves: transcript in every format, minutes, usage and scorecard."""

import csv
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from roomscribe_common.contracts.insight import MinutesData
from roomscribe_common.contracts.usage import MeetingUsageData

from roomscribe_cli.client import Gateway
from roomscribe_cli.demo.scorecard import Scorecard

FORMATS = ("json", "md", "txt", "vtt", "srt")


def usage_csv(usage: MeetingUsageData) -> str:
    """The ledger's lines as CSV, one row a line, times in RFC 3339."""
    out = io.StringIO()
    writer = csv.writer(out)
    columns = (
        "line_id",
        "meter",
        "subject",
        "identity",
        "started_at",
        "ended_at",
        "basis",
        "quantity",
        "unit",
        "billed",
        "billed_unit",
    )
    writer.writerow(columns)
    for line in usage.lines:
        row = line.model_dump(mode="json")
        writer.writerow(["" if row[c] is None else row[c] for c in columns])
    return out.getvalue()


def minutes_markdown(minutes: MinutesData) -> str:
    """The minutes as Markdown, with the cited segment ids."""
    parts = [f"# {minutes.title}", "", f"Method: {minutes.method}", ""]
    sections = (
        ("Summary", minutes.summary),
        ("Topics", minutes.topics),
        ("Decisions", minutes.decisions),
        ("Action items", minutes.action_items),
        ("Open questions", minutes.open_questions),
    )
    for heading, items in sections:
        if not items:
            continue
        parts += [f"## {heading}", ""]
        for item in items:
            extra = ", ".join(f"{k}: {v}" for k in ("owner", "due") if (v := getattr(item, k, None)))
            parts.append(f"- {item.text}" + (f" ({extra})" if extra else "") + f" [{', '.join(item.segment_ids)}]")
        parts.append("")
    return "\n".join(parts)


class OutputError(Exception):
    """The folder for the results cannot be used; the message names it."""


@dataclass(frozen=True, slots=True)
class Results:
    """What is written besides the transcript; None where there is none."""

    minutes: MinutesData | None
    usage: MeetingUsageData | None
    card: Scorecard | None


async def write_results(folder: Path, gateway: Gateway, meeting: str, results: Results) -> None:
    """Writes all files of one meeting into `folder`, which `writable` has checked."""
    files = {f"transcript.{form}": await gateway.transcript(meeting, form) for form in FORMATS}
    if results.minutes is not None:
        files["minutes.json"] = (results.minutes.model_dump_json(indent=2) + "\n").encode()
        files["minutes.md"] = minutes_markdown(results.minutes).encode()
    if results.usage is not None:
        files["usage.json"] = (results.usage.model_dump_json(indent=2) + "\n").encode()
        files["usage.csv"] = usage_csv(results.usage).encode()
    if results.card is not None:
        files["scorecard.json"] = (json.dumps(asdict(results.card), indent=2) + "\n").encode()
    _write(folder, files)


def writable(folder: Path) -> Path:
    """The folder itself, made if it is missing. Raises `OutputError`: better before the work than after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(
            f"cannot write to {folder}: {error.strerror or error}; name another folder with --out"
        ) from error
    return folder


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)
