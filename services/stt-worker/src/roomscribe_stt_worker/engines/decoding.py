"""Moonshine's decoder in the middle of its work: what it has heard, and what it has said so far."""

from collections.abc import Sequence

import numpy as np

from roomscribe_stt_worker.engines.onnx import Array, OnnxModel
from roomscribe_stt_worker.engines.takes import agreed

_LAYERS, _HEADS, _HEAD_SIZE = 6, 8, 36
_SIDES = ("decoder", "encoder")


class Decoding:
    """Several paths, each heard in as many takes: the model's rows are those of the first path, then of the next."""

    def __init__(self, model: OnnxModel, hidden: Array, mask: Array, takes: int) -> None:
        """`hidden` is the encoder's output; `mask` is at sample resolution, the decoder strides it itself."""
        self._model = model
        self._takes = takes
        self._growing = [name for name in model.output_names if ".encoder." not in name]
        self._heard: dict[str, Array] = {"encoder_hidden_states": hidden, "encoder_attention_mask": mask}
        self._cache = _empty_cache(len(hidden))

    def read(self, tokens: Sequence[int]) -> Array:
        """The first step, the same tokens on every path: log-probabilities [paths, tokens, vocabulary]."""
        rows = len(self._heard["encoder_hidden_states"])
        return self._run(self._model.output_names, np.array([tokens] * rows, np.int64))

    def say(self, tokens: Sequence[int]) -> Array:
        """One more token on each path: log-probabilities [paths, vocabulary] of the next."""
        ids = np.repeat(np.array(tokens, np.int64)[:, None], self._takes, axis=0)
        # The encoder halves stay those of the first step; later steps do not give them.
        return self._run(self._growing, ids)[:, -1]

    def forget(self, kept: int) -> None:
        """Go back to when so many tokens had been given."""
        self._cache = {name: v[:, :, :kept] if ".decoder." in name else v for name, v in self._cache.items()}

    def follow(self, parents: Sequence[int]) -> None:
        """From now on there is one path for each of `parents`, going on from that old one of the same audio."""
        rows = [parent * self._takes + take for parent in parents for take in range(self._takes)]
        before = len(self._heard["encoder_hidden_states"])
        if rows == list(range(before)):
            return
        if len(rows) != before:
            self._heard = {name: value[rows] for name, value in self._heard.items()}
        self._cache = {
            name: value[rows] if ".decoder." in name or len(rows) != before else value
            for name, value in self._cache.items()
        }

    def _run(self, outputs: Sequence[str], ids: Array) -> Array:
        later = np.array([outputs is self._growing])
        given = self._model.run(outputs, {**self._heard, **self._cache, "input_ids": ids, "use_cache_branch": later})
        logs = agreed(given.pop("logits"), self._takes)
        self._cache.update({name.replace("present", "past_key_values"): value for name, value in given.items()})
        return logs


def _empty_cache(rows: int) -> dict[str, Array]:
    empty = np.zeros((rows, _HEADS, 0, _HEAD_SIZE), np.float32)
    return {
        f"past_key_values.{layer}.{side}.{half}": empty
        for layer in range(_LAYERS)
        for side in _SIDES
        for half in ("key", "value")
    }
