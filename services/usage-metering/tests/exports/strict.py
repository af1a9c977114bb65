"""Strict receivers of the published wire formats. They refuse what the real ones would, and keep what they accept.

OpenMeter: openmeterio/openmeter `ingest/httpdriver`. Lago: getlago/lago-api `Events::CreateBatchService` on PostgreSQL.
Stripe: docs.stripe.com, Billing meter events. Webhooks: the Standard Webhooks specification 1.0.
"""

import base64
import hashlib
import hmac
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol
from urllib.parse import parse_qsl

DAY_S = 86_400
NO_HEADERS: dict[str, str] = {}


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class Receiver(Protocol):
    """`sums`: what it would bill, by tenant's name at the receiver and meter. `again`: what came more than once."""

    again: int

    def take(self, path: str, headers: Mapping[str, str], body: bytes, now_s: int) -> Reply: ...

    def sums(self) -> dict[tuple[str, str], int]: ...


class OpenMeter:
    def __init__(self, token: str) -> None:
        self.token, self.again = token, 0
        self.stored: dict[tuple[str, str], dict[str, Any]] = {}

    def take(self, path: str, headers: Mapping[str, str], body: bytes, now_s: int) -> Reply:
        if path != "/api/v1/events":
            return Reply(404)
        if headers.get("authorization") != f"Bearer {self.token}":
            return Reply(401)
        if headers.get("content-type") != "application/cloudevents-batch+json":
            return Reply(400, {"detail": "invalid content type"})
        events: list[dict[str, Any]] = json.loads(body)
        if not all(self._valid(one) for one in events):
            return Reply(400, {"detail": "invalid event"})
        for event in events:
            key = (event["source"], event["id"])
            self.again += key in self.stored
            assert self.stored.setdefault(key, event) == event, "the same id with other content"
        return Reply(204)

    @staticmethod
    def _valid(event: dict[str, Any]) -> bool:
        texts = ("id", "source", "type", "subject")
        datetime.fromisoformat(event["time"])
        whole = re.fullmatch(r"-?\d+", event["data"]["steps"])
        return event["specversion"] == "1.0" and all(event[name] for name in texts) and whole is not None

    def sums(self) -> dict[tuple[str, str], int]:
        found: Counter[tuple[str, str]] = Counter()
        for event in self.stored.values():
            found[event["subject"], event["type"].removeprefix("roomscribe.")] += int(event["data"]["steps"])
        return dict(found)


class Lago:
    def __init__(self, token: str) -> None:
        self.token, self.again = token, 0
        self.stored: dict[tuple[str, str], dict[str, Any]] = {}

    def take(self, path: str, headers: Mapping[str, str], body: bytes, now_s: int) -> Reply:
        if path != "/api/v1/events/batch":
            return Reply(404)
        if headers.get("authorization") != f"Bearer {self.token}":
            return Reply(401)
        if headers.get("content-type") != "application/json":
            return Reply(400)
        events = json.loads(body)["events"]
        if not events:
            return self._refused({"events": ["no_events"]})
        if len(events) > 100:
            return self._refused({"events": ["too_many_events"]})
        errors = {str(n): bad for n, event in enumerate(events) if (bad := self._wrong(event))}
        if errors:
            return self._refused(errors)
        new: dict[tuple[str, str], dict[str, Any]] = {}
        for n, event in enumerate(events):
            key = (event["external_subscription_id"], event["transaction_id"])
            if key in self.stored or key in new:
                errors[str(n)] = {"transaction_id": ["value_already_exist"]}
            new[key] = event
        self.again += len(errors)
        if errors:  # the whole batch is rolled back
            return self._refused(errors)
        self.stored |= new
        return Reply(200, {"events": events})

    @staticmethod
    def _wrong(event: dict[str, Any]) -> dict[str, list[str]]:
        wrong = {name: ["value_is_mandatory"] for name in ("transaction_id", "code") if not event.get(name)}
        try:
            Decimal(str(event["timestamp"]))
            int(event["properties"]["steps"])
        except (InvalidOperation, KeyError, ValueError):
            wrong["timestamp"] = ["invalid_format"]
        return wrong

    @staticmethod
    def _refused(details: Mapping[str, Any]) -> Reply:
        body = {"status": 422, "error": "Unprocessable Entity", "code": "validation_errors", "error_details": details}
        return Reply(422, body)

    def sums(self) -> dict[tuple[str, str], int]:
        found: Counter[tuple[str, str]] = Counter()
        for event in self.stored.values():
            found[event["external_subscription_id"], event["code"].removeprefix("roomscribe_")] += int(
                event["properties"]["steps"]
            )
        return dict(found)


class Stripe:
    def __init__(self, token: str, meters: set[str]) -> None:
        self.token, self.meters, self.again = token, meters, 0
        self.seen: dict[str, int] = {}
        self.events: list[dict[str, str]] = []
        self.items: dict[str, tuple[bytes, dict[str, str]]] = {}

    def take(self, path: str, headers: Mapping[str, str], body: bytes, now_s: int) -> Reply:
        if headers.get("authorization") != f"Bearer {self.token}":
            return Reply(401)
        if headers.get("content-type") != "application/x-www-form-urlencoded":
            return self._invalid("Invalid request: content type")
        form = dict(parse_qsl(body.decode(), strict_parsing=True))
        if path == "/v1/invoiceitems":
            return self._item(headers.get("idempotency-key", ""), body, form)
        if path != "/v1/billing/meter_events":
            return Reply(404)
        if form.get("event_name") not in self.meters:
            return self._invalid(f"No active meter found for event name {form.get('event_name')}")
        if not re.fullmatch(r"-?\d+", form.get("payload[value]", "")) or not form.get("payload[stripe_customer_id]"):
            return self._invalid("Invalid payload")
        if not now_s - 35 * DAY_S <= int(form["timestamp"]) <= now_s + 300:
            return self._invalid("The timestamp must be within the past 35 days and not 5 minutes in the future")
        identifier = form.get("identifier", "")
        if not 1 <= len(identifier) <= 100:
            return self._invalid("identifier: 1 to 100 characters")
        if now_s - self.seen.get(identifier, -DAY_S) < DAY_S:
            self.again += 1
            return self._invalid(f"An event already exists with identifier {identifier}.")
        self.seen[identifier] = now_s
        self.events.append(form)
        return Reply(200, {"object": "billing.meter_event", "identifier": identifier})

    def _item(self, key: str, body: bytes, form: dict[str, str]) -> Reply:
        if not key or int(form["quantity"]) < 0 or Decimal(form["unit_amount_decimal"]).as_tuple().exponent < -12:  # type: ignore[operator]
            return self._invalid("Invalid item")
        if key in self.items and self.items[key][0] != body:
            return self._invalid("Keys for idempotent requests can only be used with the same parameters")
        self.again += key in self.items
        self.items.setdefault(key, (body, form))
        return Reply(200, {"object": "invoiceitem"})

    def sold(self) -> list[dict[str, str]]:
        return [form for _, form in self.items.values()]

    @staticmethod
    def _invalid(message: str) -> Reply:
        error = {"type": "invalid_request_error", "message": message}
        return Reply(400, {"error": error}, {"stripe-should-retry": "false"})

    def sums(self) -> dict[tuple[str, str], int]:
        found: Counter[tuple[str, str]] = Counter()
        for event in self.events:
            meter = event["event_name"].removeprefix("roomscribe_")
            found[event["payload[stripe_customer_id]"], meter] += int(event["payload[value]"])
        return dict(found)


class Webhooks:
    """Verifies by hand, as the specification says: HMAC-SHA256 of `id.timestamp.body`."""

    def __init__(self, secret: str) -> None:
        self.key = base64.b64decode(secret.removeprefix("whsec_"))
        self.again = 0
        self.stored: dict[str, dict[str, Any]] = {}
        self.gone = False

    def take(self, path: str, headers: Mapping[str, str], body: bytes, now_s: int) -> Reply:
        if self.gone:
            return Reply(410)
        message, stamp = headers["webhook-id"], headers["webhook-timestamp"]
        wanted = hmac.new(self.key, f"{message}.{stamp}.".encode() + body, hashlib.sha256).digest()
        signatures = [base64.b64decode(one.removeprefix("v1,")) for one in headers["webhook-signature"].split(" ")]
        if not any(hmac.compare_digest(wanted, one) for one in signatures):
            return Reply(401)
        if "." in message or abs(int(stamp) - now_s) > 300 or headers["content-type"] != "application/json":
            return Reply(400)
        event = json.loads(body)
        if set(event) != {"type", "timestamp", "data"}:
            return Reply(400)
        self.again += message in self.stored
        assert self.stored.setdefault(message, event) == event
        return Reply(204)

    def sums(self) -> dict[tuple[str, str], int]:
        return dict(Counter((event["type"], "") for event in self.stored.values()))
