"""OpenMeter: a batch of CloudEvents.

`POST /api/v1/events`, `application/cloudevents-batch+json`, 204. OpenMeter tells a second sending by `source` and `id`,
if its deduplication is switched on: it is off by default (openmeterio/openmeter, config/dedupe.go).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from roomscribe_usage_metering.exports.sending import Answer, Request, Verdict, judge_by_status
from roomscribe_usage_metering.exports.usage import SOURCE, Usage, rfc3339

_CONTENT_TYPE = "application/cloudevents-batch+json"
"""Compared as a whole by OpenMeter: a charset behind it would be refused."""


@dataclass(frozen=True, slots=True)
class OpenMeter:
    """The subject is the tenant, the type `roomscribe.<meter>`, the value `$.steps`, as text."""

    name: str
    label: str
    url: str
    token: str = field(repr=False)
    batch: int = 100
    gather_s: float = 0.0
    from_now: bool = False
    give_up_s: float | None = None

    def requests(self, items: Sequence[Usage], now_ms: int) -> list[Request]:
        """All of them at once."""
        del now_ms
        if not items:
            return []
        headers = {"content-type": _CONTENT_TYPE}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        body = json.dumps([_event(one) for one in items]).encode()
        return [Request("", items[0].booked_ms, f"{self.url}/api/v1/events", headers, body)]

    def judge(self, request: Request, answer: Answer) -> Verdict:
        """A second sending is accepted like a first."""
        del request
        return judge_by_status(answer)


def _event(one: Usage) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "id": one.id,
        "source": SOURCE,
        "type": f"roomscribe.{one.meter}",
        "subject": one.tenant,
        "time": rfc3339(one.at_ms),
        "datacontenttype": "application/json",
        "data": {"steps": str(one.steps), **dict(one.details)},
    }
