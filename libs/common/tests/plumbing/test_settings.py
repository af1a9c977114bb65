"""Settings are refused by the name of their variable, and never show a secret."""

import pytest
from roomscribe_common.settings import BadSettings, CommonSettings, DatabaseSettings, LivekitSettings, load, redact


class GatewaySettings(CommonSettings, DatabaseSettings, LivekitSettings):
    """As a service composes its own."""

    gateway_api_keys: dict[str, str] = {}


GOOD = {
    "ROOMSCRIBE_DATABASE_URL": "postgresql+asyncpg://app:hunter2@db/app",
    "ROOMSCRIBE_LIVEKIT_URL": "wss://live.example",
    "ROOMSCRIBE_LIVEKIT_API_KEY": "key",
    "ROOMSCRIBE_LIVEKIT_API_SECRET": "hunter2",
    "ROOMSCRIBE_GATEWAY_API_KEYS": '{"k": "acme"}',
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def test_mixins_read_one_environment() -> None:
    settings = load(GatewaySettings)
    assert settings.livekit_api_secret.get_secret_value() == "hunter2"
    assert settings.gateway_api_keys == {"k": "acme"}
    assert settings.nats_url == "nats://127.0.0.1:4222"


def test_printed_settings_hold_no_secret() -> None:
    assert "hunter2" not in repr(load(GatewaySettings))


def test_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOMSCRIBE_HEALTH_PORT", "")
    assert load(CommonSettings).health_port == 0


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("ROOMSCRIBE_HEALTH_PORT", "99999", "Input should be less than or equal to 65535"),
        ("ROOMSCRIBE_NATS_URL", "localhost", "expected nats://host… or tls://host… or ws://host… or wss://host…"),
        ("ROOMSCRIBE_LOG_LEVEL", "loud", "Input should be 'debug', 'info', 'warning' or 'error'"),
        ("ROOMSCRIBE_DATABASE_URL", None, "is not set, and has no default"),
        ("ROOMSCRIBE_GATEWAY_API_KEYS", "{secret", "is not valid JSON"),
    ],
)
def test_bad_setting_is_one_line_that_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str | None, reason: str
) -> None:
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings) as bad:
        load(GatewaySettings)
    assert str(bad.value) == f"{name}: {reason}"


def test_database_password_is_not_in_the_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOMSCRIBE_DATABASE_URL", "mysql://app:hunter2@db/app")
    with pytest.raises(BadSettings) as bad:
        load(GatewaySettings)
    assert str(bad.value).startswith("ROOMSCRIBE_DATABASE_URL: ")
    assert "hunter2" not in str(bad.value)


def test_redacted_url_keeps_the_address_only() -> None:
    assert redact("redis://user:pw@host:6379/0") == "redis://host:6379/0"
    servers = "nats://a:hunter2@one:4222, nats://token@two:4222,tls://three:4222"
    assert redact(servers) == "nats://one:4222,nats://two:4222,tls://three:4222"


def test_refusal_of_settings_that_do_not_fit_together_is_as_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROOMSCRIBE_LIVEKIT_API_KEY")
    with pytest.raises(BadSettings) as bad:
        load(GatewaySettings)
    needed = "ROOMSCRIBE_LIVEKIT_API_KEY and ROOMSCRIBE_LIVEKIT_API_SECRET beside it"
    assert str(bad.value) == f"ROOMSCRIBE_LIVEKIT_URL needs {needed}"
