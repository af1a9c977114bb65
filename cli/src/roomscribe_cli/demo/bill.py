"""What the demonstration comes to: the draft of the running period, and one line of it down to events."""

from decimal import Decimal
from pathlib import Path

from rich.console import Console
from rich.text import Text
from roomscribe_common.contracts.invoices import Invoice
from roomscribe_common.contracts.usage import MeetingUsageData

from roomscribe_cli.client import Gateway
from roomscribe_cli.usage.explain import explained, show_explained
from roomscribe_cli.usage.invoice import show_invoice

_BILL = "/v1/invoices/current"


async def show_bill(console: Console, gateway: Gateway, usage: MeetingUsageData) -> None:
    """The bill, and why the meeting's longest connection is billed as it is."""
    show_invoice(console, Invoice.model_validate_json(await gateway.get(_BILL)))
    connections = [line for line in usage.lines if line.meter == "webrtc_participant_minutes"]
    if connections:
        console.print(Text("\nWhy the longest connection is billed as it is", style="bold"))
        longest = max(connections, key=lambda line: Decimal(line.billed))
        show_explained(console, await explained(gateway, f"meetings/{usage.meeting_id}/usage", longest.line_id))


async def write_bill(folder: Path, gateway: Gateway) -> None:
    """The bill as one hands it on, in every format."""
    for form in ("json", "csv", "pdf"):
        (folder / f"invoice.{form}").write_bytes(await gateway.get(_BILL, format=form))
