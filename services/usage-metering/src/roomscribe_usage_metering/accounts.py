"""Accounts: each tenant's time zone, plans, prices of its own, and what it wants to be told of. From one JSON file."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator
from roomscribe_common.contracts.pricing.numbers import Money, Quantity, WholeBetween
from roomscribe_common.contracts.pricing.price_book import BookId, Currency, MeterName, Rate
from roomscribe_common.contracts.usage import Meter
from roomscribe_common.ids import Token

from roomscribe_usage_metering.domain.periods import Calendar
from roomscribe_usage_metering.pricing.books import Books, parse
from roomscribe_usage_metering.pricing.rating import Charge

_LARGEST_BYTES = 4_000_000
Percents = Annotated[list[Annotated[int, WholeBetween(1, 1_000)]], Field(min_length=1, max_length=20)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class BadAccounts(ValueError):
    """A file that holds no valid accounts; the message names each place, its value and its limit."""


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"unknown time zone {name[:40]!r}; give an IANA name such as Europe/Berlin") from error
    return name


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlanFrom(_Strict):
    """The plan from a day on, local time."""

    from_: date = Field(alias="from")
    plan: BookId


class Budget(_Strict):
    """Money of a period a tenant wants to know of: at which percents of it, of what was used or will have been."""

    name: Name
    amount: Money
    currency: Currency = "USD"
    percents: Percents = [50, 80, 100]


class Quota(_Strict):
    """A quantity of a meter in a period."""

    meter: Meter
    limit: Quantity
    percents: Percents = [80, 100]


class Webhook(_Strict):
    """Where alerts are sent; `secret_env` names the variable that holds the key they are signed with."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://\S{1,2000}$")]
    secret_env: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,99}$")]


class Account(_Strict):
    """How one tenant is billed. `charges` are prices for what the plan does not sell, such as hosted speech-to-text;
    they come before the plan's."""

    time_zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    anchor_day: Annotated[int, WholeBetween(1, 31)] = 1
    plans: Annotated[list[PlanFrom], Field(max_length=1_000)] = []
    charges: Annotated[dict[MeterName, Rate], Field(max_length=50)] = {}
    use_model_credit: bool = False
    budgets: Annotated[list[Budget], Field(max_length=100)] = []
    quotas: Annotated[list[Quota], Field(max_length=100)] = []
    webhooks: Annotated[list[Webhook], Field(max_length=20)] = []

    @field_validator("plans")
    @classmethod
    def _in_order(cls, plans: list[PlanFrom]) -> list[PlanFrom]:
        days = [one.from_ for one in plans]
        for day in days:
            if days.count(day) > 1:
                raise ValueError(f"two plans from {day}; a day has one")
        return sorted(plans, key=lambda one: one.from_)

    @field_validator("budgets")
    @classmethod
    def _named_once(cls, budgets: list[Budget]) -> list[Budget]:
        names = [one.name for one in budgets]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"budget {name!r} occurs {names.count(name)} times; each name may occur once")
        return budgets

    @property
    def calendar(self) -> Calendar:
        """The tenant's periods."""
        return Calendar(self.time_zone, self.anchor_day)

    @property
    def rated_charges(self) -> dict[str, Charge]:
        """The charges as rating takes them."""
        return {meter: Charge(rate, "account") for meter, rate in self.charges.items()}

    def plan_on(self, day: date) -> str:
        """The id of the price book that holds for the tenant on a local day."""
        begun = [one.plan for one in self.plans if one.from_ <= day]
        return begun[-1] if begun else self.plans[0].plan


class _File(_Strict):
    default: dict[str, Any] = {}
    tenants: Annotated[dict[Token, dict[str, Any]], Field(max_length=100_000)] = {}


class Accounts:
    """Accounts by tenant; whoever is not named has the default one."""

    def __init__(self, default: Account, tenants: Mapping[str, Account]) -> None:
        self.default = default
        self.tenants = tenants

    def of(self, tenant: str) -> Account:
        """The tenant's account."""
        return self.tenants.get(tenant, self.default)


def load_accounts(path: Path | None, books: Books, plan: str) -> Accounts:
    """The accounts in a file; without one everybody is billed by UTC months on `plan`. Raises `BadAccounts`.

    A tenant has the default's value of each field it does not give itself.
    """
    if path is None:
        return _accounts("{}", books, plan, "the default account")
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise BadAccounts(f"{path} is larger than {_LARGEST_BYTES} bytes")
        content = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadAccounts(f"{path} cannot be read: {error}") from error
    return _accounts(content, books, plan, str(path))


def _accounts(content: str, books: Books, plan: str, name: str) -> Accounts:
    place = "the file"
    try:
        file = parse(_File, content)
        base = {"plans": [{"from": "0001-01-01", "plan": plan}], **file.default}
        place = "default"
        default = _checked(base, books)
        tenants: dict[str, Account] = {}
        for tenant, own in file.tenants.items():
            place = f"tenants.{tenant}"
            tenants[tenant] = _checked({**base, **own}, books)
    except ValueError as error:
        raise BadAccounts(f"{name} holds no accounts: {place}: {error}") from error
    return Accounts(default, tenants)


def _checked(fields: dict[str, Any], books: Books) -> Account:
    account = parse(Account, json.dumps(fields))
    known = {book.id: book for book in books}
    if not account.plans:
        raise ValueError("plans: must name one plan at least")
    for index, one in enumerate(account.plans):
        if one.plan not in known:
            raise ValueError(f"plans.{index}.plan: unknown plan {one.plan!r}; the plans are {', '.join(known)}")
    currencies = sorted({known[one.plan].currency for one in account.plans})
    if len(currencies) > 1:
        raise ValueError(f"plans: one account has one currency; these plans have {' and '.join(currencies)}")
    for index, budget in enumerate(account.budgets):
        if budget.currency != currencies[0]:
            raise ValueError(f"budgets.{index}.currency: is {budget.currency}; the plans are in {currencies[0]}")
    return account
