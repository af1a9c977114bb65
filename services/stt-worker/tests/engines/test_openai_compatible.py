"""The HTTP engine against a real server."""

import json

import numpy as np
import pytest
from pydantic import SecretStr
from roomscribe_stt_worker.engines.openai_compatible import OpenAiCompatible
from roomscribe_stt_worker.engines.protocol import Clip, EngineRefused, EngineUnavailable

from .conftest import Server

SILENCE = Clip(np.zeros(16_000, np.float32))


def said(text: str, **more: object) -> tuple[int, bytes]:
    return 200, json.dumps({"text": text, **more}).encode()


def asked(engine: OpenAiCompatible, clip: Clip = SILENCE) -> str:
    try:
        return engine.transcribe([clip])[0].text
    finally:
        engine.close()


def heard(server: Server) -> str:
    return asked(OpenAiCompatible(server.url, "whisper-1"))


def test_the_request_carries_key_model_language_terms_and_the_audio(openai_server: Server) -> None:
    openai_server.answers.append(said("Hi."))
    clip = Clip(SILENCE.samples, "en-GB", ("Roomscribe", "NATS"))
    asked(OpenAiCompatible(openai_server.url, "whisper-1", SecretStr("s3cret")), clip)
    [request] = openai_server.requests
    assert request.path == "/v1/audio/transcriptions"
    assert request.authorization == "Bearer s3cret"
    assert request.samples == 16_000
    assert request.form == {
        "model": "whisper-1",
        "response_format": "verbose_json",
        "temperature": "0",
        "language": "en",
        "prompt": "Roomscribe, NATS",
    }


def test_a_server_that_fails_twice_is_asked_a_third_time(openai_server: Server) -> None:
    openai_server.answers += [(503, b"busy"), (429, b"slow down"), said("Hello.")]
    assert heard(openai_server) == "Hello."


def test_a_server_that_keeps_failing_is_asked_three_times_and_no_more(openai_server: Server) -> None:
    openai_server.answers += [(500, b"no")] * 9
    with pytest.raises(EngineUnavailable, match="HTTP 500"):
        heard(openai_server)
    assert len(openai_server.requests) == 3


def test_a_refused_clip_is_not_sent_again(openai_server: Server) -> None:
    openai_server.answers.append((413, b"too large"))
    with pytest.raises(EngineRefused, match="413"):
        heard(openai_server)
    assert len(openai_server.requests) == 1


def test_a_wrong_key_is_no_fault_of_the_clip_and_is_not_tried_again(openai_server: Server) -> None:
    openai_server.answers.append((401, b"who are you"))
    with pytest.raises(EngineUnavailable, match="401"):
        heard(openai_server)
    assert len(openai_server.requests) == 1


def test_a_server_that_does_not_answer_is_given_up_in_time(openai_server: Server) -> None:
    openai_server.hold.clear()
    with pytest.raises(EngineUnavailable, match="ReadTimeout"):
        asked(OpenAiCompatible(openai_server.url, "whisper-1", timeout_s=0.3))


def test_a_server_that_is_not_there_is_unavailable() -> None:
    engine = OpenAiCompatible("http://127.0.0.1:9/v1", "whisper-1")
    with pytest.raises(EngineUnavailable, match="ConnectError"):
        engine.transcribe([SILENCE])
    engine.close()


def test_an_answer_that_is_no_transcription_is_unavailable(openai_server: Server) -> None:
    openai_server.answers.append((200, b"<html>"))
    with pytest.raises(EngineUnavailable, match="not a transcription"):
        heard(openai_server)


def test_a_segment_the_server_takes_for_silence_is_left_out(openai_server: Server) -> None:
    segments = [
        {"text": " Good morning.", "avg_logprob": -0.2, "no_speech_prob": 0.01},
        {"text": " Thanks for watching!", "avg_logprob": -1.4, "no_speech_prob": 0.9},
    ]
    openai_server.answers.append(said("Good morning. Thanks for watching!", segments=segments))
    assert heard(openai_server) == "Good morning."


def test_plain_json_without_segments_is_enough(openai_server: Server) -> None:
    openai_server.answers.append(said(" Good morning. "))
    assert asked(OpenAiCompatible(openai_server.url, "gpt-4o-transcribe", response_format="json")) == "Good morning."
    assert openai_server.requests[0].form["response_format"] == "json"
