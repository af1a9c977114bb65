"""The embedded engine: Moonshine tiny (English), from the model files inside the `moonshine-voice` wheel.

Only the files are used, on onnxruntime; the package's own library takes 4 to 8 times the CPU and is never imported.

A clip may carry a draft: an earlier hypothesis of the same speech. The decoder reads the whole draft in one step, keeps
it as far as it would have said the same and is fairly sure of it, and goes on alone from there; that makes a repeated
decode 1.4 times cheaper. It is not quite the same decode: the weights are quantised, and a long step rounds otherwise
than many short ones. On 53 recordings (506 words), drafts of their first nine tenths changed two words, one of them for
the better; 3 to 6 when the decoder did not have to be sure. Clips without a draft are decoded in batches, at 1.2 to 1.6
times the speed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from roomscribe_stt_worker.engines.onnx import Array, OnnxModel
from roomscribe_stt_worker.engines.protocol import SAMPLE_RATE_HZ, Clip, Hypothesis
from roomscribe_stt_worker.engines.tokenizer import END, START, Tokenizer

TOKENS_PER_S = 6.5
"""Nobody speaks faster: beyond it the decoder is in a loop."""
MIN_SAMPLES = SAMPLE_RATE_HZ // 5
"""The encoder's strides leave nothing of a clip much shorter than this; shorter ones are padded with silence."""
_LAYERS, _HEADS, _HEAD_SIZE = 6, 8, 36
_SIDES = ("decoder", "encoder")
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
    patience_s = 20.0

    def __init__(self, folder: Path | None = None) -> None:
        folder = folder or embedded_model()
        self._encoder = OnnxModel(folder / "encoder_model.ort")
        self._decoder = OnnxModel(folder / "decoder_model_merged.ort")
        self._tokenizer = Tokenizer.load(folder / "tokenizer.bin")
        self._growing = [name for name in self._decoder.output_names if ".encoder." not in name]

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
        samples, mask = _padded(clips)
        rows = [_Row(limit=int(clip.duration_s * TOKENS_PER_S) + 1) for clip in clips]
        hidden = self._encoder.run(["last_hidden_state"], {"input_values": samples, "attention_mask": mask})
        # The decoder takes the mask at sample resolution and strides it itself.
        constant: dict[str, Array] = {
            "encoder_hidden_states": hidden["last_hidden_state"],
            "encoder_attention_mask": mask,
        }
        draft = _usable_draft(clips, rows)
        ids = np.array([[START, *draft]] * len(clips), np.int64)
        first = self._decoder.run(
            self._decoder.output_names,
            {**constant, **_empty_cache(len(clips)), "input_ids": ids, "use_cache_branch": np.array([False])},
        )
        kept = _say_draft(rows[0], first["logits"][0], draft) if draft else _say_last(rows, first["logits"])
        cache = {
            name.replace("present", "past_key_values"): value[:, :, :kept] if ".decoder." in name else value
            for name, value in first.items()
            if name != "logits"
        }
        self._continue(rows, constant, cache)
        return rows

    def _continue(self, rows: list[_Row], constant: dict[str, Array], cache: dict[str, Array]) -> None:
        while not all(row.done for row in rows):
            ids = np.array([[row.tokens[-1]] for row in rows], np.int64)
            step = self._decoder.run(
                self._growing, {**constant, **cache, "input_ids": ids, "use_cache_branch": np.array([True])}
            )
            _say_last(rows, step.pop("logits"))
            # The encoder halves stay those of the first step; later steps do not give them.
            cache.update({name.replace("present", "past_key_values"): value for name, value in step.items()})


def _groups(clips: Sequence[Clip]) -> Iterator[list[int]]:
    """Indexes to decode together: a clip with a draft alone, the others with clips of about their length."""
    group: list[int] = []
    for index in sorted(range(len(clips)), key=lambda index: len(clips[index].samples)):
        if clips[index].draft:
            yield [index]
            continue
        too_long = group and len(clips[index].samples) > _BATCHED_LENGTHS * len(clips[group[0]].samples)
        if too_long or len(group) == Moonshine.batch_limit:
            yield group
            group = []
        group.append(index)
    if group:
        yield group


def _padded(clips: Sequence[Clip]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Samples and mask, each [clips, longest]."""
    longest = max(MIN_SAMPLES, *(len(clip.samples) for clip in clips))
    samples = np.zeros((len(clips), longest), np.float32)
    mask = np.zeros((len(clips), longest), np.int64)
    for row, clip in enumerate(clips):
        samples[row, : len(clip.samples)] = clip.samples
        mask[row, : max(MIN_SAMPLES, len(clip.samples))] = 1
    return samples, mask


def _empty_cache(batch: int) -> dict[str, Array]:
    empty = np.zeros((batch, _HEADS, 0, _HEAD_SIZE), np.float32)
    return {
        f"past_key_values.{layer}.{side}.{half}": empty
        for layer in range(_LAYERS)
        for side in _SIDES
        for half in ("key", "value")
    }


def _usable_draft(clips: Sequence[Clip], rows: Sequence[_Row]) -> list[int]:
    """What the decoder may read ahead: the draft's tokens without its end, as far as this clip may go."""
    draft = clips[0].draft
    if len(clips) > 1 or draft is None:
        return []
    return [token for token in draft.tokens if token != END][: rows[0].limit - 1]


def _say_draft(row: _Row, logits: Array, draft: Sequence[int]) -> int:
    """Take the draft as far as the decoder agrees and is sure; returns the length of cache that holds."""
    tokens, probabilities = _best(logits)
    agreed = 0
    while agreed < len(draft) and tokens[agreed] == draft[agreed] and probabilities[agreed] >= SURE:
        agreed += 1
    # In full agreement, and in none, what the decoder says next is taken too; else its next step says it anew.
    said = agreed + 1 if agreed in (0, len(draft)) else agreed
    for at in range(said):
        row.say(int(tokens[at]), float(probabilities[at]))
    return said


def _say_last(rows: Sequence[_Row], logits: Array) -> int:
    """Give each row its next token; returns the length of cache that holds after a first step."""
    tokens, probabilities = _best(logits[:, -1])
    for row, token, probability in zip(rows, tokens, probabilities, strict=True):
        row.say(int(token), float(probability))
    return 1


def _best(logits: Array) -> tuple[Array, Array]:
    """The likeliest token of each position, and its probability."""
    top = logits.max(axis=-1)
    return logits.argmax(axis=-1), 1.0 / np.exp(logits - top[:, None]).sum(axis=-1)
