"""The engine the settings name."""

from roomscribe_stt_worker.engines.moonshine import Moonshine
from roomscribe_stt_worker.engines.openai_compatible import OpenAiCompatible
from roomscribe_stt_worker.engines.protocol import Engine
from roomscribe_stt_worker.settings import SttSettings


def engine_from(settings: SttSettings) -> Engine:
    """Loads it; the embedded model takes about half a second."""
    if settings.stt_engine == "openai":
        assert settings.stt_openai_url is not None, "the settings check it"
        return OpenAiCompatible(
            settings.stt_openai_url,
            settings.stt_openai_model,
            settings.stt_openai_api_key,
            settings.stt_openai_timeout_s,
            settings.stt_openai_response_format,
        )
    return Moonshine()
