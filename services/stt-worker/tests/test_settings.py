"""Settings of the worker from the environment."""

import pytest
from roomscribe_common.settings import BadSettings, load
from roomscribe_stt_worker.engines.choose import engine_from
from roomscribe_stt_worker.engines.moonshine import Moonshine
from roomscribe_stt_worker.engines.openai_compatible import OpenAiCompatible
from roomscribe_stt_worker.settings import SttSettings


def test_without_settings_the_engine_is_the_embedded_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROOMSCRIBE_STT_ENGINE", raising=False)
    settings = load(SttSettings)
    assert settings.slots >= settings.threads >= 1
    assert isinstance(engine_from(settings), Moonshine)


def test_a_server_is_chosen_by_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOMSCRIBE_STT_ENGINE", "openai")
    monkeypatch.setenv("ROOMSCRIBE_STT_OPENAI_URL", "http://127.0.0.1:8000/v1")
    monkeypatch.setenv("ROOMSCRIBE_STT_OPENAI_MODEL", "large-v3")
    monkeypatch.setenv("ROOMSCRIBE_STT_OPENAI_API_KEY", "s3cret")
    settings = load(SttSettings)
    engine = engine_from(settings)
    assert isinstance(engine, OpenAiCompatible)
    assert engine.model == "large-v3"
    assert "s3cret" not in repr(settings)
    engine.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [("STT_ENGINE", "whisper"), ("STT_SLOTS", "0"), ("STT_THREADS", "many"), ("STT_OPENAI_URL", "localhost:8000")],
)
def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"ROOMSCRIBE_{name}", value)
    with pytest.raises(BadSettings, match=f"ROOMSCRIBE_{name}"):
        load(SttSettings)


def test_a_server_engine_without_an_address_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOMSCRIBE_STT_ENGINE", "openai")
    monkeypatch.delenv("ROOMSCRIBE_STT_OPENAI_URL", raising=False)
    with pytest.raises(BadSettings, match="ROOMSCRIBE_STT_OPENAI_URL"):
        load(SttSettings)
