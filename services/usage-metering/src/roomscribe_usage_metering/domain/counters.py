"""What is counted rather than timed: audio decoded, tokens used."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from roomscribe_common.contracts.usage import UsageLine

from roomscribe_usage_metering.domain.evidence import AudioDecoded, Evidence, TokensUsed
from roomscribe_usage_metering.domain.lines import Measured, line


def audio_lines(evidence: Iterable[Evidence]) -> list[UsageLine]:
    """One line per track, provider and model, over its utterances; a second final of an utterance adds nothing."""
    streams: dict[tuple[str, str, str], dict[str, AudioDecoded]] = defaultdict(dict)
    for fact in evidence:
        if isinstance(fact, AudioDecoded):
            stream = streams[fact.track_id, fact.provider, fact.model]
            stream[fact.utterance_id] = max(stream.get(fact.utterance_id, fact), fact, key=_most_audio)
    return [_audio_line(key, stream) for key, stream in sorted(streams.items())]


def _most_audio(fact: AudioDecoded) -> tuple[int, str]:
    return fact.audio_ms, fact.model_dump_json()


def _audio_line(key: tuple[str, str, str], stream: Mapping[str, AudioDecoded]) -> UsageLine:
    track_id, provider, model = key
    total = sum(fact.audio_ms for fact in stream.values())
    start, end = min(f.start_ms for f in stream.values()), max(f.end_ms for f in stream.values())
    identity = max(fact.identity for fact in stream.values())
    measured = Measured("stt_audio_minutes", total, start, max(start, end), "finals")
    return line(f"stt:{track_id}:{provider}/{model}", f"{track_id} {provider}/{model}", identity, measured)


def token_lines(evidence: Iterable[Evidence]) -> list[UsageLine]:
    """Two lines per provider and model: tokens in and tokens out, over its requests."""
    models: dict[tuple[str, str], dict[str, TokensUsed]] = defaultdict(dict)
    for fact in evidence:
        if isinstance(fact, TokensUsed):
            requests = models[fact.provider, fact.model]
            requests[fact.request_id] = max(requests.get(fact.request_id, fact), fact, key=_most_tokens)
    return [one for key, requests in sorted(models.items()) for one in _token_lines(key, requests)]


def _most_tokens(fact: TokensUsed) -> tuple[int, str]:
    return fact.input_tokens + fact.output_tokens, fact.model_dump_json()


def _token_lines(key: tuple[str, str], requests: Mapping[str, TokensUsed]) -> list[UsageLine]:
    name = "/".join(key)
    start, end = min(r.at_ms for r in requests.values()), max(r.at_ms for r in requests.values())
    tokens_in = sum(r.input_tokens for r in requests.values())
    tokens_out = sum(r.output_tokens for r in requests.values())
    return [
        line(f"llm_in:{name}", name, "", Measured("llm_input_tokens", tokens_in, start, end, "requests")),
        line(f"llm_out:{name}", name, "", Measured("llm_output_tokens", tokens_out, start, end, "requests")),
    ]
