"""Events become evidence, commands become ledgers and prices."""

import asyncio
import time
from datetime import UTC, datetime

from roomscribe_common.contracts.commands import GetMeetingUsage, GetPeriodUsage, PeriodUsage
from roomscribe_common.contracts.invoices import Explained, ExplainLine, GetInvoice, Invoice
from roomscribe_common.contracts.livekit import LivekitEvent
from roomscribe_common.contracts.pricing.cost_model import CostModel, CostModelRequest
from roomscribe_common.contracts.pricing.estimate import Estimate
from roomscribe_common.contracts.pricing.request import EstimateRequest
from roomscribe_common.contracts.stt import SttFinal
from roomscribe_common.contracts.usage import LlmUsage, MeetingUsageData
from roomscribe_common.delivery import Delivery
from roomscribe_common.errors import ProblemError

from roomscribe_usage_metering.adapters.ledgers import Ledgers
from roomscribe_usage_metering.adapters.period_usage import Periods
from roomscribe_usage_metering.adapters.writer import EvidenceWriter
from roomscribe_usage_metering.domain import translate
from roomscribe_usage_metering.domain.evidence import MeetingKey
from roomscribe_usage_metering.explaining import Explaining
from roomscribe_usage_metering.invoicing import Invoicing
from roomscribe_usage_metering.pricing.books import Books
from roomscribe_usage_metering.pricing.cost_model_answer import cost_model
from roomscribe_usage_metering.pricing.estimating import estimate


class Evidence:
    """Stores what events say. Each returns after the commit, so an acked event is in the database."""

    def __init__(self, writer: EvidenceWriter) -> None:
        self._writer = writer

    async def on_meeting(self, event: translate.MeetingEvent, _: Delivery) -> None:
        """A meeting was asked for, began or ended."""
        await self._writer.add(translate.of_meeting(event))

    async def on_agent(self, event: translate.AgentEvent, _: Delivery) -> None:
        """An agent joined, lives or left."""
        await self._writer.add(translate.of_agent(event))

    async def on_final(self, event: SttFinal, _: Delivery) -> None:
        """An utterance was recognised."""
        await self._writer.add(translate.of_final(event))

    async def on_tokens(self, event: LlmUsage, _: Delivery) -> None:
        """A model was asked."""
        await self._writer.add(translate.of_tokens(event))

    async def on_webhook(self, event: LivekitEvent, _: Delivery) -> None:
        """LiveKit said something; most of it is not about use."""
        record = translate.of_webhook(event)
        if record is not None:
            await self._writer.add(record)


class Commands:
    """Answers from the database. A tenant is told of its own meetings only."""

    def __init__(self, ledgers: Ledgers, periods: Periods) -> None:
        self._ledgers = ledgers
        self._periods = periods

    async def meeting(self, command: GetMeetingUsage) -> MeetingUsageData:
        """The ledger of one meeting, now. Raises `ProblemError` (404) if the tenant has no such meeting."""
        usage = await self._ledgers.meeting_usage(MeetingKey(command.tenant, command.meeting_id))
        if usage is None:
            detail = f"no usage is known of a meeting {command.meeting_id}"
            raise ProblemError.of("no-such-meeting", 404, "No such meeting", detail)
        return usage

    async def period(self, command: GetPeriodUsage) -> PeriodUsage:
        """What was used in a period. Raises `ProblemError` (422) if `period` is none."""
        return await self._periods.usage(command.tenant, command.period, command.after)


class Invoices:
    """Answers about invoices. A tenant is told of its own only."""

    def __init__(self, invoicing: Invoicing, explaining: Explaining) -> None:
        self._invoicing = invoicing
        self._explaining = explaining

    async def invoice(self, command: GetInvoice) -> Invoice:
        """The invoice of a period, or its draft. Raises `ProblemError`: 422 for no period, 404 for no invoice."""
        return await self._invoicing.invoice(command, _now_ms())

    async def explain(self, command: ExplainLine) -> Explained:
        """Where a line comes from. Raises `ProblemError` (404) if there is no such line."""
        return await self._explaining.line(command, _now_ms())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Pricing:
    """What would it cost. Reads no ledger: the answer is the same for every tenant."""

    def __init__(self, books: Books) -> None:
        self._books = books

    async def estimate(self, request: EstimateRequest) -> Estimate:
        """Meetings that might be held, at today's prices unless a day is given. Raises `ProblemError` (422)."""
        # A tenth of a second of arithmetic: beside the loop, which has evidence to store.
        return await asyncio.to_thread(estimate, request, self._books, datetime.now(UTC).date())

    async def cost_model(self, request: CostModelRequest) -> CostModel:
        """A cluster for each customer, and the fleet."""
        return await asyncio.to_thread(cost_model, request)
