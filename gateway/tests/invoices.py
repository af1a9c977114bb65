"""An invoice as usage-metering tells it, and a metering that answers on the bus."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from roomscribe_common.bus import Bus
from roomscribe_common.contracts.billing import InvoiceData, InvoiceLine
from roomscribe_common.contracts.invoices import (
    BookedEntry,
    CompareForecast,
    Comparison,
    Explained,
    ExplainLine,
    Forecast,
    ForecastCause,
    GetForecast,
    GetInvoice,
    Invoice,
    MeetingShare,
)
from roomscribe_common.errors import ProblemError
from roomscribe_common.subjects import COMPARE, EXPLAIN, FORECAST, INVOICE

PRICE = "livekit-cloud-scale@2026-06-02"
AGENTS = f"{PRICE}:agent_session_minutes"


def line(meter: str, amount: str, **more: object) -> InvoiceLine:
    given: dict[str, object] = {
        "line_id": f"{PRICE}:{meter}",
        "kind": "usage",
        "meter": meter,
        "description": meter.replace("_", " ").capitalize(),
        "of_period": "2026-10",
        "price": PRICE,
        "unit": "min",
        "quantity": "0",
        "allowance": "0",
        "overage": "0",
        "unit_price": "0.01",
        "amount": amount,
    }
    return InvoiceLine.model_validate(given | more)


def invoice(**more: object) -> InvoiceData:
    """October 2026 in Vienna: 1,440.00 as in the worked example, less what a correction takes back."""
    lines = [
        line("base", "500.00", kind="base", description="Base of the plan", quantity="1", unit="month"),
        line("webrtc_participant_minutes", "0.00", quantity="540000", allowance="1500000", unit_price="0.0004"),
        line("agent_session_minutes", "400.00", quantity="90000", allowance="50000", overage="40000"),
        line("stt_audio_minutes", "540.00", quantity="90000", overage="90000", unit_price="0.006", quality="estimated"),
        line("correction", "-0.12", kind="correction", of_period="2026-09", quantity="-12", note="It ended earlier."),
    ]
    given: dict[str, object] = {
        "number": "2026-10-1",
        "period": "2026-10",
        "state": "closed",
        "starts_at": datetime(2026, 9, 30, 22, tzinfo=UTC),
        "ends_at": datetime(2026, 10, 31, 23, tzinfo=UTC),
        "time_zone": "Europe/Vienna",
        "currency": "USD",
        "plan": "LiveKit Cloud Scale",
        "lines": lines,
        "total": "1439.88",
        "issued_at": datetime(2026, 11, 2, 9, tzinfo=UTC),
        "digest": "ab" * 32,
    }
    return InvoiceData.model_validate(given | more)


def credit_note() -> InvoiceData:
    lines = [line("agent_session_minutes", "-2.40", kind="correction", quantity="-240", overage="-240")]
    return invoice(kind="credit_note", number="2026-10-1-C1", corrects="2026-10-1", lines=lines, total="-2.40")


def shares(rooms: list[str]) -> list[MeetingShare]:
    """Equal parts of the invoice for the rooms; the last bears what is left of the cents."""
    found, left = list[MeetingShare](), {one.line_id: Decimal(one.amount) for one in invoice().lines}
    for number, room in enumerate(rooms):
        rest = len(rooms) - number
        parts = {name: amount if rest == 1 else round(amount / rest, 2) for name, amount in left.items()}
        left = {name: amount - parts[name] for name, amount in left.items()}
        texts = {name: f"{part:.2f}" for name, part in parts.items()}
        amount = f"{sum(parts.values()):.2f}"
        found.append(MeetingShare(meeting_id=f"mtg_{number:04}", room=room, amount=amount, lines=texts))
    return found


@dataclass
class FakeMetering:
    """Does what usage-metering's contract says of invoices, from memory."""

    bus: Bus
    found: Invoice = field(default_factory=lambda: Invoice(invoice=invoice(), meetings=[]))
    meetings: list[MeetingShare] = field(default_factory=lambda: shares(["planning", "standup"]))
    page: int = 100
    asked: list[object] = field(default_factory=list[object])

    async def listen(self) -> None:
        await self.bus.reply(INVOICE, self.invoice, GetInvoice)
        await self.bus.reply(EXPLAIN, self.explain, ExplainLine)
        await self.bus.reply(COMPARE, self.compare, CompareForecast)
        await self.bus.reply(FORECAST, self.forecast, GetForecast)
        await self.bus.nc.flush()

    async def invoice(self, command: GetInvoice) -> Invoice:
        self.asked.append(command)
        if command.period not in (None, "2026-10"):
            raise ProblemError.of("no-such-period", 404, "No such period", f"nothing is known of {command.period}")
        ids = [one.meeting_id for one in self.meetings]
        first = ids.index(command.after) + 1 if command.after else 0
        shown = self.meetings[first : first + self.page]
        more = first + self.page < len(ids)
        cursor = shown[-1].meeting_id if more else None
        return self.found.model_copy(update={"meetings": shown, "next_cursor": cursor})

    async def explain(self, command: ExplainLine) -> Explained:
        self.asked.append(command)
        return Explained(line_id=command.line_id, summary="1 entry of 1 meeting: 90000 minutes.", entries=[entry()])

    async def compare(self, command: CompareForecast) -> Comparison:
        self.asked.append(command)
        cause = ForecastCause(input="minutes", forecast="40", actual="45", effect="160.00")
        return Comparison(
            plan="livekit-cloud-scale",
            currency="USD",
            forecast_total="1280.00",
            actual_total="1440.00",
            difference="160.00",
            causes=[cause],
            final=True,
        )

    async def forecast(self, command: GetForecast) -> Forecast:
        self.asked.append(command)
        return Forecast(
            period="2026-11",
            currency="USD",
            as_of=datetime(2026, 11, 22, tzinfo=UTC),
            actual={"agent_session_minutes": "70000"},
            expected={"agent_session_minutes": "95000"},
            actual_total="700.00",
            expected_total="950.00",
            low_total="900.00",
            high_total="1000.00",
            days_of_history=21,
        )


def entry() -> BookedEntry:
    return BookedEntry(
        key="ab" * 32,
        meeting_id="mtg_0000",
        line_id="agent:job_1",
        meter="agent_session_minutes",
        period="2026-10",
        of_period="2026-10",
        price=PRICE,
        version=1,
        steps=90000,
        billed="90000",
        billed_unit="minutes",
        basis="last_heartbeat",
    )
