"""The file that says who is told: what is wrong in it is named, and no key stands in it."""

import json
from pathlib import Path
from typing import Any

import pytest
from roomscribe_usage_metering.exports.lago import Lago
from roomscribe_usage_metering.exports.openmeter import OpenMeter
from roomscribe_usage_metering.exports.receivers import BadReceivers, read_receivers
from roomscribe_usage_metering.exports.stripe import Stripe

KEYS = {"OPENMETER_KEY": "om", "LAGO_KEY": "lago", "STRIPE_KEY": "sk_test"}
SINKS: list[dict[str, Any]] = [
    {"kind": "openmeter", "name": "meters", "url": "https://openmeter.example/", "secret_env": "OPENMETER_KEY"},
    {"kind": "lago", "name": "bills", "secret_env": "LAGO_KEY", "subscriptions": {"acme": "sub_1"}},
    {
        "kind": "stripe",
        "name": "money",
        "secret_env": "STRIPE_KEY",
        "customers": {"acme": "cus_1"},
        "late": {"currency": "usd", "unit_cents": {"agent_session_minutes": "1"}},
    },
]


def write(path: Path, sinks: list[dict[str, Any]]) -> Path:
    file = path / "exports.json"
    file.write_text(json.dumps({"sinks": sinks}))
    return file


def test_each_kind_is_read_with_its_key_from_the_environment(tmp_path: Path) -> None:
    openmeter, lago, stripe = read_receivers(write(tmp_path, SINKS), KEYS)
    assert isinstance(openmeter, OpenMeter)
    assert (openmeter.url, openmeter.token, openmeter.name) == ("https://openmeter.example", "om", "openmeter:meters")
    assert isinstance(lago, Lago)
    assert isinstance(stripe, Stripe)
    assert (stripe.gather_s, stripe.from_now) == (3600, False)
    assert not any(key in repr(sink) for sink in (openmeter, lago, stripe) for key in ("sk_test", "'om'", "'lago'"))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"url": "ftp://x"}, "sinks.0"),
        ({"name": "Has Blanks"}, "name"),
        ({"kind": "carrier-pigeon"}, "sinks.0"),
        ({"token": "abc"}, "unknown field"),
        ({"secret_env": "NOT_SET"}, "NOT_SET is not set"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    with pytest.raises(BadReceivers, match=why):
        read_receivers(write(tmp_path, [{**SINKS[0], **change}]), KEYS)


def test_a_name_twice_would_be_one_position_for_two_and_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadReceivers, match="'meters' occurs more than once"):
        read_receivers(write(tmp_path, [SINKS[0], SINKS[0]]), KEYS)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadReceivers, match=r"exports\.json"):
        read_receivers(tmp_path / "exports.json", KEYS)
    (tmp_path / "exports.json").write_text("{")
    with pytest.raises(BadReceivers, match=r"exports\.json"):
        read_receivers(tmp_path / "exports.json", KEYS)
