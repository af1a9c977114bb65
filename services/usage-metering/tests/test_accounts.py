"""The accounts file: strict, and every refusal names its place, value and limit."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from roomscribe_usage_metering.accounts import Accounts, BadAccounts, load_accounts
from roomscribe_usage_metering.domain.periods import Calendar
from roomscribe_usage_metering.pricing.books import built_in


def load(path: Path, content: Any) -> Accounts:
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return load_accounts(path, built_in(), "livekit-cloud-ship")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "accounts.json"


def test_without_a_file_everybody_has_utc_months_on_the_given_plan() -> None:
    account = load_accounts(None, built_in(), "livekit-cloud-scale").of("anybody")
    assert account.calendar == Calendar("UTC", 1)
    assert account.plan_on(date(2026, 11, 1)) == "livekit-cloud-scale"


def test_a_tenant_has_the_defaults_values_where_it_gives_none(file: Path) -> None:
    accounts = load(
        file,
        {
            "default": {"time_zone": "Europe/Berlin", "budgets": [{"name": "all", "amount": "100"}]},
            "tenants": {
                "acme": {
                    "anchor_day": 15,
                    "plans": [
                        {"from": "2026-11-15", "plan": "livekit-cloud-scale"},
                        {"from": "2026-01-01", "plan": "livekit-cloud-build"},
                    ],
                }
            },
        },
    )
    acme, other = accounts.of("acme"), accounts.of("globex")
    assert acme.calendar == Calendar("Europe/Berlin", 15)
    assert [budget.name for budget in acme.budgets] == ["all"]
    days = (date(2025, 1, 1), date(2026, 11, 14), date(2026, 11, 15))
    assert [acme.plan_on(day) for day in days] == ["livekit-cloud-build"] * 2 + ["livekit-cloud-scale"]
    assert (other.calendar, other.plan_on(days[0])) == (Calendar("Europe/Berlin", 1), "livekit-cloud-ship")


ACME = "tenants.acme: "


@pytest.mark.parametrize(
    ("account", "place"),
    [
        ({"time_zone": "Mars/Olympus"}, "time_zone: unknown time zone 'Mars/Olympus'"),
        ({"time_zone": "../../etc/passwd"}, "time_zone: unknown time zone"),
        ({"time_zone": ""}, "time_zone: unknown time zone"),
        ({"anchor_day": 32}, "anchor_day: must be a whole number, 1 to 31; it is 32"),
        ({"anchor_day": "NaN"}, "anchor_day: must be a whole number, 1 to 31; it is 'NaN'"),
        ({"plans": []}, "plans: must name one plan at least"),
        ({"plans": [{"from": "2026-01-01", "plan": "mystery"}]}, "plans.0.plan: unknown plan 'mystery'; the plans are"),
        (
            {"plans": [{"from": "2026-02-30", "plan": "livekit-cloud-ship"}]},
            "plans.0.from: Input should be a valid date",
        ),
        ({"charges": {"coffee": {"unit_price": "1"}}}, "charges.coffee: unknown meter 'coffee'"),
        ({"charges": {"stt_audio_minutes": {"unit_price": "-1"}}}, "unit_price: must be 0 to 1000000; it is '-1'"),
        ({"charges": {"stt_audio_minutes": {"unit_price": "1e30"}}}, "unit_price: must be 0 to 1000000; it is '1e30'"),
        (
            {"budgets": [{"name": "b", "amount": "1", "currency": "EUR"}]},
            "budgets.0.currency: is EUR; the plans are in",
        ),
        ({"budgets": [{"name": "b", "amount": "1"}] * 2}, "budgets: budget 'b' occurs 2 times"),
        ({"quotas": [{"meter": "coffee", "limit": "1"}]}, "quotas.0.meter: Input should be"),
        ({"webhooks": [{"url": "ftp://x", "secret_env": "S"}]}, "webhooks.0.url: String should match"),
        ({"colour": "red"}, "colour: unknown field"),
    ],
)
def test_what_is_wrong_is_named(file: Path, account: dict[str, Any], place: str) -> None:
    with pytest.raises(BadAccounts) as refused:
        load(file, {"tenants": {"acme": account}})
    assert str(refused.value).startswith(f"{file} holds no accounts: {ACME}")
    assert place in str(refused.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "Expecting property name"),
        ('{"default": {}, "default": {}}', "a name occurs twice"),
        ("[" * 100_000, "recursion"),
        ('{"tenants": {"a.b": {}}}', "tenants.a.b"),
        ('{"everybody": {}}', "everybody: unknown field"),
        ('{"default": 7}', "default"),
    ],
)
def test_a_file_that_holds_no_accounts_is_refused(file: Path, content: str, why: str) -> None:
    with pytest.raises(BadAccounts, match=why):
        load(file, content)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadAccounts, match="cannot be read"):
        load_accounts(tmp_path / "none.json", built_in(), "livekit-cloud-ship")


def test_one_account_has_one_currency(file: Path, tmp_path: Path) -> None:
    euros = (tmp_path / "x").with_suffix(".json")
    plans = [{"from": "2026-01-01", "plan": "euros"}, {"from": "2026-02-01", "plan": "livekit-cloud-ship"}]
    [ship] = [book for book in built_in() if book.id == "livekit-cloud-ship"]
    books = built_in().with_book(ship.model_copy(update={"id": "euros", "currency": "EUR"}))
    euros.write_text(json.dumps({"default": {"plans": plans}}), "utf-8")
    with pytest.raises(BadAccounts, match="default: plans: one account has one currency; these plans have EUR and USD"):
        load_accounts(euros, books, "livekit-cloud-ship")
