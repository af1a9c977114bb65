"""What is counted rather than timed: audio recognised, tokens used, characters spoken."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from roomscribe_common.contracts.agent import ModelCounters
from roomscribe_common.contracts.usage import Meter

from roomscribe_usage_metering.domain.evidence import AgentSeen, AudioDecoded, TokensUsed
from roomscribe_usage_metering.domain.growth import Reading, increments
from roomscribe_usage_metering.domain.lines import Line, Part


def counted_line(line_id: str, meter: Meter, subject: str, parts: Iterable[Part], basis: str) -> Line:
    """A line of parts: at least one."""
    in_order = tuple(sorted(parts))
    total = sum(amount for _, amount in in_order)
    return Line(line_id, meter, subject, "", total, in_order[0][0], in_order[-1][0], basis, parts=in_order)


def audio_lines(facts: Iterable[AudioDecoded]) -> list[Line]:
    """One line per epoch of the agent, track, provider and model; a second final of an utterance adds nothing."""
    streams: dict[tuple[str, int, str], dict[str, AudioDecoded]] = defaultdict(dict)
    for fact in facts:
        stream = streams[fact.track_id, fact.epoch, f"{fact.provider}/{fact.model}"]
        have = stream.get(fact.utterance_id)
        if have is None or _most_audio(have) < _most_audio(fact):
            stream[fact.utterance_id] = fact
    return [_audio_line(key, stream) for key, stream in sorted(streams.items())]


def _most_audio(fact: AudioDecoded) -> tuple[int, int, int, str]:
    return fact.audio_ms, fact.start_ms, fact.end_ms, fact.identity


def _audio_line(key: tuple[str, int, str], stream: Mapping[str, AudioDecoded]) -> Line:
    track_id, epoch, model = key
    parts = tuple(sorted((fact.start_ms, fact.audio_ms) for fact in stream.values()))
    return Line(
        line_id=f"stt:{track_id}:{epoch}:{model}",
        meter="stt_audio_minutes",
        subject=f"{track_id} {model}",
        identity=max(fact.identity for fact in stream.values()),
        quantity=sum(amount for _, amount in parts),
        start_ms=parts[0][0],
        end_ms=max(parts[0][0], *(fact.end_ms for fact in stream.values())),
        basis="pushed",
        parts=parts,
    )


def token_lines(facts: Iterable[TokensUsed]) -> list[Line]:
    """Lines per provider and model, over its requests: tokens in that were not cached, cached ones if any, and out."""
    models: dict[str, dict[str, TokensUsed]] = defaultdict(dict)
    for fact in facts:
        requests = models[f"{fact.provider}/{fact.model}"]
        have = requests.get(fact.request_id)
        if have is None or _most_tokens(have) < _most_tokens(fact):
            requests[fact.request_id] = fact
    return [one for model, requests in sorted(models.items()) for one in _token_lines(model, requests.values())]


def _most_tokens(fact: TokensUsed) -> tuple[int, int, int, int]:
    return fact.input_tokens + fact.output_tokens, fact.input_tokens, fact.cached_tokens, fact.at_ms


def _token_lines(model: str, requests: Iterable[TokensUsed]) -> Iterator[Line]:
    every = list(requests)
    fresh = [(one.at_ms, max(one.input_tokens - one.cached_tokens, 0)) for one in every]
    cached = [(one.at_ms, min(one.cached_tokens, one.input_tokens)) for one in every if one.cached_tokens]
    yield counted_line(f"llm_in:{model}", "llm_input_tokens", model, fresh, "requests")
    if cached:
        yield counted_line(f"llm_cached:{model}", "llm_cached_input_tokens", model, cached, "requests")
    output = [(one.at_ms, one.output_tokens) for one in every]
    yield counted_line(f"llm_out:{model}", "llm_output_tokens", model, output, "requests")


Counted = tuple[str, Meter, str, str]
"""The line's id, its meter, its subject and its basis."""


def model_lines(signs: Iterable[AgentSeen]) -> list[Line]:
    """What agents used of models by their own count: a line per job, epoch, model and meter.

    A process that starts again counts from nothing under the next epoch, so what the one before had counted stays.
    """
    readings: dict[Counted, list[Reading]] = defaultdict(list)
    for sign in signs:
        for model in sign.models:
            for key, count in _counts(f"{sign.job_id}:{sign.epoch}", model):
                readings[key].append((sign.joined_ms + sign.uptime_ms, count))
    found: list[Line] = []
    for (line_id, meter, subject, basis), told in sorted(readings.items()):
        if parts := increments(told):
            found.append(counted_line(line_id, meter, subject, parts, basis))
    return found


def _counts(process: str, one: ModelCounters) -> Iterator[tuple[Counted, int]]:
    name = f"{one.provider}/{one.model}"
    track = f"{one.track_id} {name}" if one.track_id else name
    cached = min(one.cached_input_tokens, one.input_tokens)
    stream = f"stt:{process}:{one.track_id}:{one.stt_basis}:{name}"
    yield (stream, "stt_audio_minutes", track, one.stt_basis), one.stt_ms
    yield (f"tts:{process}:{name}", "tts_characters", name, "counters"), one.tts_characters
    yield (f"llm_in:{process}:{name}", "llm_input_tokens", name, "counters"), one.input_tokens - cached
    yield (f"llm_cached:{process}:{name}", "llm_cached_input_tokens", name, "counters"), cached
    yield (f"llm_out:{process}:{name}", "llm_output_tokens", name, "counters"), one.output_tokens
