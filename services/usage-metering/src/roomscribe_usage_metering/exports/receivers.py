"""The file that says who is told of usage: OpenMeter, Lago, Stripe."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from roomscribe_common.contracts.pricing.numbers import Price
from roomscribe_common.contracts.pricing.price_book import Strict
from roomscribe_common.contracts.usage import Meter
from roomscribe_common.ids import Token

from roomscribe_usage_metering.exports.lago import Lago
from roomscribe_usage_metering.exports.openmeter import OpenMeter
from roomscribe_usage_metering.exports.sending import Sink
from roomscribe_usage_metering.exports.stripe import Late, Stripe
from roomscribe_usage_metering.exports.usage import Usage
from roomscribe_usage_metering.pricing.books import parse

_LARGEST_BYTES = 1_000_000
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s]{1,2000}$")]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
Prefix = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{0,40}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class BadReceivers(ValueError):
    """A file that cannot be used; the message names each field."""


class OpenMeterReceiver(Strict):
    """All tenants; each is a subject. `secret_env` names the variable with the key: files are copied about."""

    kind: Literal["openmeter"]
    name: Name
    from_now: bool = False
    url: Url
    secret_env: Variable | None = None


class LagoReceiver(Strict):
    """The tenants that have a subscription."""

    kind: Literal["lago"]
    name: Name
    from_now: bool = False
    url: Url = "https://api.getlago.com"
    secret_env: Variable
    subscriptions: dict[Token, Text]
    prefix: Prefix = "roomscribe_"


class LateItems(Strict):
    """What a step costs, in cents, where it can only be told as an invoice item."""

    currency: Annotated[str, StringConstraints(pattern=r"^[a-z]{3}$")]
    unit_cents: dict[Meter, Price]


class StripeReceiver(Strict):
    """The tenants that have a customer."""

    kind: Literal["stripe"]
    name: Name
    from_now: bool = False
    url: Url = "https://api.stripe.com"
    secret_env: Variable
    customers: dict[Token, Text]
    window_s: Annotated[int, Field(ge=60, le=86_400)] = 3_600
    late: LateItems | None = None
    prefix: Prefix = "roomscribe_"


Receiver = Annotated[OpenMeterReceiver | LagoReceiver | StripeReceiver, Field(discriminator="kind")]


class Receivers(Strict):
    """The whole file. `from_now`: what was booked before a sink is first seen is not sent to it."""

    sinks: Annotated[list[Receiver], Field(max_length=20)]

    @model_validator(mode="after")
    def _each_name_once(self) -> Self:
        names = [one.name for one in self.sinks]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"the name {min(twice)!r} occurs more than once; it is the key of a sink's position")
        return self


def read_receivers(path: Path, environment: Mapping[str, str] = os.environ) -> list[Sink[Usage]]:
    """The receivers in the file. Raises `BadReceivers` naming the file and each field."""
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise BadReceivers(f"{path} is larger than {_LARGEST_BYTES} bytes")
        found = parse(Receivers, path.read_text("utf-8"))
    except BadReceivers:
        raise
    except (OSError, ValueError) as error:
        raise BadReceivers(f"{path} does not say who is told of usage: {error}") from error
    return [_sink(one, environment) for one in found.sinks]


def _sink(one: OpenMeterReceiver | LagoReceiver | StripeReceiver, environment: Mapping[str, str]) -> Sink[Usage]:
    token = environment.get(one.secret_env, "") if one.secret_env else ""
    if one.secret_env and not token:
        raise BadReceivers(f"sink {one.name}: the variable {one.secret_env} is not set, and it is to have the key")
    url, cursor = one.url.rstrip("/"), f"{one.kind}:{one.name}"
    match one:
        case OpenMeterReceiver():
            return OpenMeter(cursor, one.name, url, token, from_now=one.from_now)
        case LagoReceiver():
            return Lago(cursor, one.name, url, token, one.subscriptions, one.prefix, from_now=one.from_now)
        case StripeReceiver():
            late = Late(one.late.currency, {**one.late.unit_cents}) if one.late else None
            window_s, from_now = float(one.window_s), one.from_now
            customers, prefix = one.customers, one.prefix
            return Stripe(cursor, one.name, url, token, customers, late, prefix, gather_s=window_s, from_now=from_now)
