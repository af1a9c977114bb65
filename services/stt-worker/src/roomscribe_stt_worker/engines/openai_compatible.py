"""Any server with OpenAI's `POST /v1/audio/transcriptions`: Whisper servers, vLLM, OpenAI itself."""

import math
import time
from collections.abc import Sequence
from typing import Literal

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from roomscribe_stt_worker.engines.protocol import Clip, EngineRefused, EngineUnavailable, Hypothesis
from roomscribe_stt_worker.engines.wav import to_wav

NO_SPEECH_PROBABILITY = 0.6
LOW_LOG_PROBABILITY = -1.0
"""Whisper's own rule: a segment beyond both says nothing that was spoken."""
_TOO_MANY = 429
_CLIP_REFUSED = {400, 413, 415, 422}
_BACKOFF_S = (0.2, 0.8)


class _Segment(BaseModel):
    text: str
    avg_logprob: float | None = None
    no_speech_prob: float | None = None

    @property
    def spoken(self) -> bool:
        doubtful = self.avg_logprob is not None and self.avg_logprob < LOW_LOG_PROBABILITY
        return not (doubtful and (self.no_speech_prob or 0.0) > NO_SPEECH_PROBABILITY)


class _Answer(BaseModel):
    """What `json` and `verbose_json` share, and what only the latter has."""

    text: str
    language: str | None = None
    segments: list[_Segment] | None = None


class OpenAiCompatible:
    """See `Engine`. One request per clip; each tried at most three times within `timeout_s` in all."""

    provider = "openai-compatible"
    batch_limit = 1

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: SecretStr | None = None,
        timeout_s: float = 20.0,
        response_format: Literal["verbose_json", "json"] = "verbose_json",
    ) -> None:
        """`base_url` ends in `/v1`. `json` is for models without segments, such as `gpt-4o-transcribe`."""
        self.model = model
        self.patience_s = timeout_s + 1.0
        self._timeout_s = timeout_s
        self._format = response_format
        headers = {"Authorization": f"Bearer {api_key.get_secret_value()}"} if api_key else {}
        self._client = httpx.Client(base_url=base_url.rstrip("/"), headers=headers, timeout=timeout_s)

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """One hypothesis per clip, in order."""
        return [self._transcribe(clip) for clip in clips]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _transcribe(self, clip: Clip) -> Hypothesis:
        body = to_wav(clip.samples)
        deadline = time.monotonic() + self._timeout_s
        reason = "no answer"
        for pause_s in (*_BACKOFF_S, None):
            try:
                response = self._post(clip, body, deadline - time.monotonic())
            except httpx.TransportError as error:
                reason = f"{type(error).__name__}: {error}"
            else:
                if response.is_success:
                    return _hypothesis(response, clip)
                reason = f"HTTP {response.status_code}: {response.text[:200]}"
                if response.status_code in _CLIP_REFUSED:
                    raise EngineRefused(reason)
                if response.status_code != _TOO_MANY and response.status_code < 500:
                    break
            if pause_s is None or time.monotonic() + pause_s >= deadline:
                break
            time.sleep(pause_s)
        raise EngineUnavailable(f"{self._client.base_url} did not transcribe: {reason}")

    def _post(self, clip: Clip, body: bytes, timeout_s: float) -> httpx.Response:
        form = {"model": self.model, "response_format": self._format, "temperature": "0"}
        if clip.language:
            form["language"] = clip.language.split("-")[0]
        if clip.keyterms:
            form["prompt"] = ", ".join(clip.keyterms)
        return self._client.post(
            "/audio/transcriptions", data=form, files={"file": ("speech.wav", body, "audio/wav")}, timeout=timeout_s
        )


def _hypothesis(response: httpx.Response, clip: Clip) -> Hypothesis:
    try:
        answer = _Answer.model_validate_json(response.content)
    except ValidationError as error:
        raise EngineUnavailable(f"not a transcription: {error.error_count()} errors in the answer") from error
    language = answer.language or clip.language or "und"
    if answer.segments is None:
        return Hypothesis(answer.text.strip(), language)
    spoken = [segment for segment in answer.segments if segment.spoken]
    probabilities = [math.exp(min(0.0, s.avg_logprob)) for s in spoken if s.avg_logprob is not None]
    return Hypothesis(" ".join(s.text.strip() for s in spoken).strip(), language, tuple(probabilities))
