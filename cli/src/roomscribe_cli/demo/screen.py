"""What the terminal shows: the meeting live, then minutes, usage, cost and scorecard."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text
from roomscribe_common.contracts.insight import Cited, MinutesData
from roomscribe_common.contracts.transcript import TranscriptFinalData, TranscriptInterimData
from roomscribe_common.contracts.usage import MeetingUsageData

from roomscribe_cli.demo.scorecard import Scorecard
from roomscribe_cli.pricing.words import UNITS, number

_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")


def clock(ms: int) -> str:
    """Milliseconds from the meeting's start as `m:ss`."""
    return f"{ms // 60_000}:{ms // 1000 % 60:02d}"


class Screen:
    """Finals scroll up with names; what people are saying now stands below in grey."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._interims: dict[str, TranscriptInterimData] = {}
        self._final: set[str] = set()
        self._colours: dict[str, str] = {}
        self._live = Live(console=console, refresh_per_second=8, transient=True)

    def __enter__(self) -> "Screen":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _who(self, identity: str, name: str) -> Text:
        colour = self._colours.setdefault(identity, _COLOURS[len(self._colours) % len(_COLOURS)])
        return Text(name or identity, style=f"bold {colour}")

    def _line(self, data: TranscriptFinalData | TranscriptInterimData, style: str) -> Text:
        who = self._who(data.participant.identity, data.participant.name)
        return Text.assemble((f"{clock(data.start_ms):>5}  ", "dim"), who, "  ", Text(data.text, style=style))

    def _draw(self) -> None:
        lines = [self._line(i, "bright_black italic") for i in self._interims.values()]
        self._live.update(Text("\n").join(lines) if lines else Text(""))

    def note(self, text: str) -> None:
        """A line about the meeting itself."""
        self.console.print(Text(f"       {text}", style="dim"))

    def interim(self, data: TranscriptInterimData) -> None:
        """Somebody is speaking."""
        if data.segment_id in self._final:
            return
        self._interims.pop(data.segment_id, None)
        if data.text:
            self._interims[data.segment_id] = data
        self._draw()

    def final(self, data: TranscriptFinalData) -> None:
        """Somebody has spoken."""
        self._final.add(data.segment_id)
        self._interims.pop(data.segment_id, None)
        self.console.print(self._line(data, ""))
        self._draw()


def show_minutes(console: Console, minutes: MinutesData, segments: Mapping[str, TranscriptFinalData]) -> None:
    """The minutes, each item with the times of the segments it cites."""
    console.rule(f"Minutes: {minutes.title}", align="left")
    console.print(Text(f"method: {minutes.method}" + (f" ({minutes.model})" if minutes.model else ""), style="dim"))
    parts: list[tuple[str, list[Cited]]] = [
        ("Summary", minutes.summary),
        ("Topics", minutes.topics),
        ("Decisions", minutes.decisions),
        ("Action items", list(minutes.action_items)),
        ("Open questions", minutes.open_questions),
    ]
    owners = {id(item): (item.owner, item.due) for item in minutes.action_items}
    for heading, items in parts:
        if items:
            console.print(Text(heading, style="bold"))
        for item in items:
            owner, due = owners.get(id(item), (None, None))
            said = ", ".join(clock(segments[s].start_ms) for s in item.segment_ids if s in segments)
            extra = "".join(f" [{label} {value}]" for label, value in (("owner:", owner), ("due:", due)) if value)
            console.print(Text.assemble("  • ", item.text, (extra, "bold"), (f"  ({said})", "dim")))


def show_usage(console: Console, usage: MeetingUsageData) -> None:
    """The ledger's lines, and what they would cost."""
    console.rule("Usage", align="left")
    table = Table("meter", "who or what", "measured", "billed", "rests on", box=None, header_style="dim")
    for line in usage.lines:
        measured = f"{line.quantity / 1000:.1f} s" if line.unit == "ms" else f"{line.quantity:,} {line.unit}"
        who = "the agent" if line.identity.startswith("roomscribe-") else line.identity or line.subject
        billed = f"{number(line.billed)} {UNITS.get(line.billed_unit, line.billed_unit)}"
        table.add_row(line.meter.replace("_", " "), who, measured, billed, line.basis.replace("_", " "))
    console.print(table)
    if usage.estimate is not None:
        estimate = usage.estimate
        console.print(Text(f"At list price ({estimate.book}): {estimate.total} {estimate.currency}", style="bold"))
        for cost in estimate.lines:
            exact = "" if cost.exact is None else f" (exactly {number(cost.exact)})"
            meter = cost.meter.replace("_", " ")
            amount = f"{cost.amount} {estimate.currency}"
            console.print(f"  {meter}: {number(cost.quantity)} × {cost.unit_price} = {amount}{exact}")
        for note in estimate.notes:
            console.print(Text(f"  {note}", style="dim"))


def show_scorecard(console: Console, card: Scorecard) -> None:
    """The run's figures, and whether they pass."""
    console.rule("Scorecard", align="left")

    def seconds(value: float | None) -> str:
        return "–" if value is None else f"{value:.2f} s"

    rows: list[tuple[str, Any]] = [
        ("word error rate", f"{card.word_error_rate:.1%} of {card.words} words"),
        ("lines under the right name", f"{card.lines_under_right_name} of {card.lines}"),
        ("end of speech to final", f"p50 {seconds(card.latency_p50_s)}, p95 {seconds(card.latency_p95_s)}"),
        ("lost lines, duplicate segments, holes", f"{card.lost}, {card.duplicates}, {card.sequence_holes}"),
        ("speech missing", f"{card.gap_ms} ms"),
        ("decisions, action items, open questions", f"{card.items_found} of {card.items_expected} in the minutes"),
    ]
    if card.minutes_expected:
        same = "as in the script" if card.minutes_billed == card.minutes_expected else "NOT as in the script"
        rows.append(("connection minutes", f"{sum(card.minutes_billed.values())}, {same}"))
    table = Table(box=None, show_header=False)
    for name, value in rows:
        table.add_row(name, Text(str(value)))
    console.print(table)
    if card.failures:
        console.print(Text("FAILED: " + "; ".join(card.failures), style="bold red"))
    else:
        console.print(Text("PASSED", style="bold green"))
