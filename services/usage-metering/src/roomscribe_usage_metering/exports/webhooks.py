"""Signed webhooks: what was told on the bus about money, posted to the tenant's own addresses.

Headers and signature are those of Standard Webhooks 1.0 (standardwebhooks.com), the body its `type`, `timestamp` and
`data`. An event keeps its id however often it is sent; each try has its own timestamp.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from standardwebhooks.webhooks import Webhook

from roomscribe_usage_metering.exports.sending import Answer, Request, Verdict, judge_by_status

KINDS = "billing.v1."
"""What is posted: invoices, budgets, quotas, anomalies, drift."""
_THREE_DAYS_S = 3 * 86_400.0


@dataclass(frozen=True, slots=True)
class Told:
    """An event as it lies in the outbox."""

    seq: int
    kind: str
    id: str
    tenant: str
    time: str
    data: object
    stored_ms: int

    @property
    def booked_ms(self) -> int:
        """When it was stored."""
        return self.stored_ms


class BadSecret(ValueError):
    """What is to sign webhooks is no key; the message names its variable."""


@dataclass(frozen=True, slots=True)
class SignedWebhook:
    """One address. `takes` says which tenants' events go there. `secret` is `whsec_` and base64 of 24 to 64 bytes."""

    name: str
    url: str = field(repr=False)
    secret: str = field(repr=False)
    takes: Callable[[str], bool]
    label: str = "webhook"
    batch: int = 50
    gather_s: float = 0.0
    from_now: bool = True
    give_up_s: float | None = _THREE_DAYS_S

    @classmethod
    def of(cls, account: str, url: str, secret: str, takes: Callable[[str], bool]) -> Self:
        """The address of an account, checked. Raises `BadSecret`."""
        coded = secret.removeprefix("whsec_")
        try:
            size = len(base64.b64decode(coded, validate=True))
        except ValueError:
            size = 0
        if coded == secret or not 24 <= size <= 64:
            raise BadSecret("must be whsec_ and base64 of 24 to 64 random bytes")
        # The address may have a secret in it, so it is not stored.
        key = hashlib.sha256(f"{account}|{url}".encode()).hexdigest()[:40]
        return cls(f"webhook:{key}", url, secret, takes)

    def requests(self, items: Sequence[Told], now_ms: int) -> list[Request]:
        """One for each event of the address's tenants."""
        return [self._request(one, now_ms) for one in items if one.kind.startswith(KINDS) and self.takes(one.tenant)]

    def _request(self, one: Told, now_ms: int) -> Request:
        body = json.dumps({"type": one.kind, "timestamp": one.time, "data": one.data}, separators=(",", ":"))
        # An event's id may have a full stop in it, which the signature must not: see the specification.
        message_id = f"msg_{hashlib.sha256(f'{one.tenant}|{one.id}'.encode()).hexdigest()[:32]}"
        at = datetime.fromtimestamp(now_ms // 1_000, UTC)
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(now_ms // 1_000),
            "webhook-signature": Webhook(self.secret).sign(message_id, at, body),
        }
        return Request(f"{one.seq:020}", one.stored_ms, self.url, headers, body.encode())

    def judge(self, request: Request, answer: Answer) -> Verdict:
        """Any 2xx is success; 410 asks for nothing more."""
        del request
        return judge_by_status(answer)
