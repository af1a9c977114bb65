"""The embedded engine: Moonshine tiny (English), from the model files inside the `moonshine-voice` wheel.

Only the files are used, on onnxruntime; the package's own library takes 4 to 8 times the CPU and is never imported.

A clip may carry a draft: an earlier hypothesis of the same speech. The decoder reads the whole draft in one step, keeps
it as far as it would have said the same and is fairly sure of it, and goes on alone from there; that makes a repeated
decode 1.4 times cheaper. It is not quite the same decode: the weights are quantised, and a long step rounds otherwise
than many short ones. On 53 recordings (506 words), drafts of their first nine tenths changed two words, one of them for
the better; 3 to 6 when the decoder did not have to be sure. Clips without a draft are decoded in batches, at 1.2 to 1.6
times the speed. Thorough clips are decoded one by one, each in several takes (`takes`) and by beam search (`beam`).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from roomscribe_stt_worker.engines.beam import Path as Said
from roomscribe_stt_worker.engines.beam import search
from roomscribe_stt_worker.engines.decoding import Decoding
from roomscribe_stt_worker.engines.onnx import Array, OnnxModel
from roomscribe_stt_worker.engines.protocol import SAMPLE_RATE_HZ, Clip, Hypothesis
from roomscribe_stt_worker.engines.takes import Samples, takes
from roomscribe_stt_worker.engines.tokenizer import END, START, Tokenizer

TOKENS_PER_S = 6.5
"""Nobody speaks faster: beyond it the decoder is in a loop."""
MIN_SAMPLES = SAMPLE_RATE_HZ // 5
"""The encoder's strides leave nothing of a clip much shorter than this; shorter ones are padded with silence."""
SURE = 0.6
"""Least probability at which a draft's token is kept."""
_BATCHED_LENGTHS = 1.5
"""Padding costs time and accuracy, so a batch's longest clip is at most so many times its shortest."""


def embedded_model() -> Path:
    """Folder of the model inside the wheel, found without importing the package."""
    spec = find_spec("moonshine_voice")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package moonshine-voice is not installed")
    return Path(spec.submodule_search_locations[0], "assets", "tiny-en")


@dataclass
class _Row:
    """One clip's growing output."""

    limit: int
    tokens: list[int] = field(default_factory=list[int])
    probabilities: list[float] = field(default_factory=list[float])

    @property
    def done(self) -> bool:
        return len(self.tokens) >= self.limit or self.tokens[-1:] == [END]

    def say(self, token: int, probability: float) -> None:
        if not self.done:
            self.tokens.append(token)
            self.probabilities.append(probability)


class Moonshine:
    """See `Engine`. Thread-safe; holds about 120 MB whatever the number of threads."""

    provider = "moonshine"
    model = "moonshine-tiny-en"
    batch_limit = 8
    patience_s = 5.0

    def __init__(self, folder: Path | None = None) -> None:
        folder = folder or embedded_model()
        self._encoder = OnnxModel(folder / "encoder_model.ort")
        self._decoder = OnnxModel(folder / "decoder_model_merged.ort")
        self._tokenizer = Tokenizer.load(folder / "tokenizer.bin")

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """One hypothesis per clip, in order."""
        found: dict[int, Hypothesis] = {}
        for group in _groups(clips):
            rows = self._decode([clips[index] for index in group])
            found.update(zip(group, map(self._hypothesis, rows), strict=True))
        return [found[index] for index in range(len(clips))]

    def close(self) -> None:
        """Nothing to give back: the sessions end with the object."""

    def _hypothesis(self, row: _Row) -> Hypothesis:
        return Hypothesis(self._tokenizer.text(row.tokens), "en", tuple(row.probabilities), tuple(row.tokens))

    def _decode(self, clips: Sequence[Clip]) -> list[_Row]:
        heard = [take for clip in clips for take in takes(clip)]
        samples, mask = _padded(heard)
        rows = [_Row(limit=int(clip.duration_s * TOKENS_PER_S) + 1) for clip in clips]
        hidden = self._encoder.run(["last_hidden_state"], {"input_values": samples, "attention_mask": mask})
        decoding = Decoding(self._decoder, hidden["last_hidden_state"], mask, len(heard) // len(clips))
        draft = _usable_draft(clips, rows)
        logs = decoding.read([START, *draft])
        if clips[0].thorough:
            return [_search(decoding, logs, draft, rows[0])]
        kept = _say_draft(rows[0], logs[0], draft) if draft else _say_last(rows, logs[:, -1])
        decoding.forget(kept)
        while not all(row.done for row in rows):
            _say_last(rows, decoding.say([row.tokens[-1] for row in rows]))
        return rows


def _groups(clips: Sequence[Clip]) -> Iterator[list[int]]:
    """Indexes to decode together: a clip with a draft or thorough alone, others with those of about their length."""
    group: list[int] = []
    for index in sorted(range(len(clips)), key=lambda index: len(clips[index].samples)):
        if clips[index].draft or clips[index].thorough:
            yield [index]
            continue
        too_long = group and len(clips[index].samples) > _BATCHED_LENGTHS * len(clips[group[0]].samples)
        if too_long or len(group) == Moonshine.batch_limit:
            yield group
            group = []
        group.append(index)
    if group:
        yield group


def _padded(heard: Sequence[Samples]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Samples and mask, each [takes, longest]."""
    longest = max(MIN_SAMPLES, *(len(take) for take in heard))
    samples = np.zeros((len(heard), longest), np.float32)
    mask = np.zeros((len(heard), longest), np.int64)
    for row, take in enumerate(heard):
        samples[row, : len(take)] = take
        mask[row, : max(MIN_SAMPLES, len(take))] = 1
    return samples, mask


def _usable_draft(clips: Sequence[Clip], rows: Sequence[_Row]) -> list[int]:
    """What the decoder may read ahead: the draft's tokens without its end, as far as this clip may go."""
    draft = clips[0].draft
    if len(clips) > 1 or draft is None:
        return []
    return [token for token in draft.tokens if token != END][: rows[0].limit - 1]


def _agreed_on(logs: Array, draft: Sequence[int]) -> int:
    """How much of a draft the decoder would have said itself, and is sure of."""
    tokens, probabilities = _best(logs)
    count = 0
    while count < len(draft) and tokens[count] == draft[count] and probabilities[count] >= SURE:
        count += 1
    return count


def _say_draft(row: _Row, logs: Array, draft: Sequence[int]) -> int:
    """Take the draft as far as the decoder agrees and is sure; returns the length of cache that holds."""
    tokens, probabilities = _best(logs)
    count = _agreed_on(logs, draft)
    # In full agreement, and in none, what the decoder says next is taken too; else its next step says it anew.
    said = count + 1 if count in (0, len(draft)) else count
    for at in range(said):
        row.say(int(tokens[at]), float(probabilities[at]))
    return said


def _search(decoding: Decoding, logs: Array, draft: Sequence[int], row: _Row) -> _Row:
    """Go on from the part of the draft that is agreed on, by beam search."""
    count = _agreed_on(logs[0], draft)
    decoding.forget(count + 1)
    said = Said(tuple(draft[:count]), tuple(float(logs[0, at, draft[at]]) for at in range(count)))

    def step(tokens: Sequence[int], parents: Sequence[int]) -> Array:
        decoding.follow(parents)
        return decoding.say(tokens)

    best = search(said, logs[:, count], step, row.limit)
    return replace(row, tokens=list(best.tokens), probabilities=[math.exp(log) for log in best.logs])


def _say_last(rows: Sequence[_Row], logs: Array) -> int:
    """Give each row its next token; returns the length of cache that holds after a first step."""
    tokens, probabilities = _best(logs)
    for row, token, probability in zip(rows, tokens, probabilities, strict=True):
        row.say(int(token), float(probability))
    return 1


def _best(logs: Array) -> tuple[Array, Array]:
    """The likeliest token of each position, and its probability."""
    return logs.argmax(axis=-1), np.exp(logs.max(axis=-1))
