"""Lago: a batch of at most 100 events.

`POST /api/v1/events/batch`. A batch with one event that is known is refused whole, and nothing of it stored: 422 with
`{"error_details": {"<index>": {"transaction_id": ["value_already_exist"]}}}` (getlago/lago-api, CreateBatchService).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from roomscribe_usage_metering.exports.sending import (
    Answer,
    Delivered,
    Instead,
    Refused,
    Request,
    Verdict,
    judge_by_status,
)
from roomscribe_usage_metering.exports.usage import Usage

AT_MOST = 100


@dataclass(frozen=True, slots=True)
class Lago:
    """`subscriptions` by tenant; other tenants' usage is not sent. The metric's code is `prefix` and the meter."""

    name: str
    label: str
    url: str
    token: str = field(repr=False)
    subscriptions: Mapping[str, str]
    prefix: str = "roomscribe_"
    batch: int = AT_MOST
    gather_s: float = 0.0
    from_now: bool = False
    give_up_s: float | None = None

    def requests(self, items: Sequence[Usage], now_ms: int) -> list[Request]:
        """All of them at once."""
        del now_ms
        events = [self._event(one) for one in items if one.tenant in self.subscriptions]
        if not events:
            return []
        headers = {"content-type": "application/json", "authorization": f"Bearer {self.token}"}
        return [Request("", items[0].booked_ms, f"{self.url}/api/v1/events/batch", headers, _body(events))]

    def _event(self, one: Usage) -> dict[str, object]:
        seconds, ms = divmod(one.at_ms, 1_000)
        return {
            "transaction_id": one.id,
            "external_subscription_id": self.subscriptions[one.tenant],
            "code": f"{self.prefix}{one.meter}",
            "timestamp": f"{seconds}.{ms:03}",
            "properties": {"steps": str(one.steps), **dict(one.details)},
        }

    def judge(self, request: Request, answer: Answer) -> Verdict:
        """What Lago has already is left out, and the rest sent again."""
        known = _known(answer) if answer.status == 422 else None
        if known is None:
            return judge_by_status(answer)
        events: list[object] = json.loads(request.body)["events"]
        rest = [event for index, event in enumerate(events) if index not in known]
        if len(rest) == len(events):
            return Refused("HTTP 422 about events that were not sent")
        return Instead(replace(request, body=_body(rest))) if rest else Delivered()


def _body(events: Sequence[object]) -> bytes:
    return json.dumps({"events": events}).encode()


def _known(answer: Answer) -> frozenset[int] | None:
    """The indices Lago has already; None if it complains of anything else."""
    try:
        details = cast(dict[str, dict[str, list[str]]], json.loads(answer.body)["error_details"])
        if any(error != {"transaction_id": ["value_already_exist"]} for error in details.values()):
            return None
        return frozenset(int(index) for index in details)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
