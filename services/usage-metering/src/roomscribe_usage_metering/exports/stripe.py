"""Stripe: meter events, summed over a window.

`POST /v1/billing/meter_events`, one at a time. Values are whole; an identifier is unique for a day at least, and one
that is known is refused with 400; an event may be 35 days old (docs.stripe.com, Record usage for billing with the API).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from urllib.parse import urlencode

from roomscribe_usage_metering.exports.sending import Answer, Delivered, Request, Unsendable, Verdict, judge_by_status
from roomscribe_usage_metering.exports.usage import Usage

_DAY_MS = 86_400_000
OLDEST_MS = 35 * _DAY_MS - 3_600_000
"""An hour less than Stripe takes, for the way there and for clocks."""
_VERSION = "2025-04-30.basil"


@dataclass(frozen=True, slots=True)
class Late:
    """For what is too old for a meter event: an invoice item, at cents a step and in the currency given."""

    currency: str
    unit_cents: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Stripe:
    """`customers` by tenant; other tenants' usage is not sent. The event's name is `prefix` and the meter."""

    name: str
    label: str
    url: str
    token: str = field(repr=False)
    customers: Mapping[str, str]
    late: Late | None = None
    prefix: str = "roomscribe_"
    batch: int = 10_000
    gather_s: float = 3_600.0
    from_now: bool = False
    give_up_s: float | None = None

    def requests(self, items: Sequence[Usage], now_ms: int) -> list[Request]:
        """One for each tenant, period and meter: the sum of the window. Its identifier follows from the window."""
        if not items:
            return []
        window = f"{items[0].seq}|{items[-1].seq}"
        ours = sorted((one for one in items if one.tenant in self.customers), key=_group)
        groups = [list(group) for _, group in groupby(ours, key=_group)]
        return [self._request(group, window, now_ms) for group in groups if sum(one.steps for one in group)]

    def _request(self, group: Sequence[Usage], window: str, now_ms: int) -> Request:
        first, steps = group[0], sum(one.steps for one in group)
        identifier = hashlib.sha256("|".join((*_group(first), window)).encode()).hexdigest()
        at_ms = max(one.at_ms for one in group)
        if at_ms < now_ms - OLDEST_MS:
            return self._late(group, steps, identifier)
        form = {
            "event_name": f"{self.prefix}{first.meter}",
            "payload[stripe_customer_id]": self.customers[first.tenant],
            "payload[value]": str(steps),
            "identifier": identifier,
            "timestamp": str(at_ms // 1_000),
        }
        # No Idempotency-Key: Stripe would give the answer of a failed first try again and again for a day.
        return self._post(group, "billing/meter_events", form, {})

    def _late(self, group: Sequence[Usage], steps: int, identifier: str) -> Request:
        first = group[0]
        if self.late is None or first.meter not in self.late.unit_cents:
            raise Unsendable(
                f"{first.meter} of {first.tenant} in {first.period} is too old for a meter event: "
                f"give sink {self.label} late.unit_cents.{first.meter}, and it becomes an invoice item"
            )
        cents = self.late.unit_cents[first.meter]
        form = {
            "customer": self.customers[first.tenant],
            "currency": self.late.currency,
            "quantity": str(abs(steps)),
            "unit_amount_decimal": format(cents if steps > 0 else -cents, "f"),
            "description": f"{first.meter} of {first.period}",
            "metadata[identifier]": identifier,
        }
        return self._post(group, "invoiceitems", form, {"idempotency-key": identifier})

    def _post(self, group: Sequence[Usage], path: str, form: Mapping[str, str], more: Mapping[str, str]) -> Request:
        headers = {
            "authorization": f"Bearer {self.token}",
            "content-type": "application/x-www-form-urlencoded",
            "stripe-version": _VERSION,
            **more,
        }
        place, since_ms = "|".join(_group(group[0])), min(one.booked_ms for one in group)
        return Request(place, since_ms, f"{self.url}/v1/{path}", headers, urlencode(form).encode())

    def judge(self, request: Request, answer: Answer) -> Verdict:
        """An identifier that is known is proof that the sum arrived."""
        del request
        if answer.status == 400 and _is_known(answer.body):
            return Delivered()
        return judge_by_status(answer)


def _group(one: Usage) -> tuple[str, str, str]:
    return one.tenant, one.period, one.meter


def _is_known(body: bytes) -> bool:
    try:
        return str(json.loads(body)["error"]["message"]).startswith("An event already exists with identifier")
    except (ValueError, KeyError, TypeError):
        return False
