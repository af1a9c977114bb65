"""Settings of the worker: which engine, and how much at once."""

import os
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator
from roomscribe_common.settings import CommonSettings

_SLOTS_PER_THREAD = 8
"""A claim lasts as long as the utterance, its decodes a fraction of that: a thread serves many speakers at a time."""
_REMOTE_THREADS = 8


class SttSettings(CommonSettings):
    """`ROOMSCRIBE_STT_…`; see the README."""

    stt_engine: Literal["moonshine", "openai"] = "moonshine"
    stt_threads: Annotated[int, Field(ge=1, le=256)] | None = None
    """Decodes at the same time. Default: one per processor; 8 for a server elsewhere."""
    stt_slots: Annotated[int, Field(ge=1, le=4096)] | None = None
    """Utterances followed at the same time. Default: 8 per thread."""
    stt_interims: bool = True
    stt_max_attempts: Annotated[int, Field(ge=1, le=99)] = 8
    """After so many workers began with an utterance and did not end it, it becomes a gap."""
    stt_openai_url: Annotated[str, Field(pattern=r"^https?://.+")] | None = None
    """Base address ending in `/v1`."""
    stt_openai_model: str = "whisper-1"
    stt_openai_api_key: SecretStr | None = None
    stt_openai_timeout_s: Annotated[float, Field(gt=0, le=120)] = 20.0
    stt_openai_response_format: Literal["verbose_json", "json"] = "verbose_json"
    """`json` for models that give no segments, such as `gpt-4o-transcribe`."""

    @model_validator(mode="after")
    def _engine_has_an_address(self) -> Self:
        if self.stt_engine == "openai" and self.stt_openai_url is None:
            raise ValueError("ROOMSCRIBE_STT_OPENAI_URL is not set, and ROOMSCRIBE_STT_ENGINE is openai")
        return self

    @property
    def threads(self) -> int:
        """Decode threads to start."""
        if self.stt_threads is not None:
            return self.stt_threads
        return _REMOTE_THREADS if self.stt_engine == "openai" else len(os.sched_getaffinity(0))

    @property
    def slots(self) -> int:
        """Utterances to follow at once."""
        return self.stt_slots or self.threads * _SLOTS_PER_THREAD
