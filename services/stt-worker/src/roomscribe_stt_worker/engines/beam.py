"""Beam search: keeps two beginnings of a sentence open, where a greedy decode is bound to the first word it likes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from roomscribe_stt_worker.engines.onnx import Array
from roomscribe_stt_worker.engines.tokenizer import END

WIDTH = 2

Step = Callable[[Sequence[int], Sequence[int]], Array]
"""Given the last token of each path, and which of the paths before it goes on from: log-probabilities of the next."""


@dataclass(frozen=True, slots=True)
class Path:
    """Tokens, and the log-probability of each."""

    tokens: tuple[int, ...] = ()
    logs: tuple[float, ...] = ()

    @property
    def total(self) -> float:
        """Log-probability of the whole."""
        return sum(self.logs)

    @property
    def mean(self) -> float:
        """Of a token, so that a short path is not preferred for being short."""
        return self.total / len(self.logs)

    @property
    def ended(self) -> bool:
        """Its last word is said."""
        return self.tokens[-1:] == (END,)


def search(said: Path, logs: Array, step: Step, limit: int) -> Path:
    """The best way to go on from `said`, at most to `limit` tokens in all.

    `logs` [1, vocabulary] are the log-probabilities of the token after it.
    """
    paths, ended = [said], list[Path]()
    while True:
        grown = _grown(paths, logs)
        ended += [path for path, _ in grown if path.ended]
        going = [(path, parent) for path, parent in grown if not path.ended][:WIDTH]
        paths = [path for path, _ in going]
        if len(paths[0].tokens) >= limit or _decided(ended, paths, limit):
            return max(ended or paths, key=lambda path: path.mean)
        logs = step([path.tokens[-1] for path in paths], [parent for _, parent in going])


def _grown(paths: Sequence[Path], logs: Array) -> list[tuple[Path, int]]:
    """The likeliest continuations, best first, with the index of the path each goes on from."""
    count = WIDTH + 1
    grown = [
        (Path((*path.tokens, int(token)), (*path.logs, float(row[token]))), parent)
        for parent, (path, row) in enumerate(zip(paths, logs, strict=True))
        for token in np.argpartition(row, -count)[-count:]
    ]
    return sorted(grown, key=lambda one: one[0].total, reverse=True)[: 2 * WIDTH]


def _decided(ended: Sequence[Path], paths: Sequence[Path], limit: int) -> bool:
    """None that goes on can get better than the best that ended, or enough ended and none is better now."""
    if not ended:
        return False
    best = max(path.mean for path in ended)
    hoped = max(path.total for path in paths) / limit
    return hoped < best or (len(ended) >= WIDTH and max(path.mean for path in paths) < best)
