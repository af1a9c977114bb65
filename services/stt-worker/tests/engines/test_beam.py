"""Beam search, over a made-up language."""

import math
from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
from roomscribe_stt_worker.engines.beam import Path, search
from roomscribe_stt_worker.engines.onnx import Array
from roomscribe_stt_worker.engines.tokenizer import END

A, B, C, D = 3, 4, 5, 6
Language = Mapping[tuple[int, ...], Mapping[int, float]]
"""Probabilities of the next token after some tokens; after others the end is certain."""


class Speaker:
    """Keeps its paths as the decoder does: from what it is told goes on from where."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self.paths: list[tuple[int, ...]] = [()]
        self.steps = 0

    def logs(self) -> Array:
        rows = np.full((len(self.paths), 8), -20.0)
        for row, path in zip(rows, self.paths, strict=True):
            for token, probability in self._language.get(path, {END: 1.0}).items():
                row[token] = math.log(probability)
        return rows

    def step(self, tokens: Sequence[int], parents: Sequence[int]) -> Array:
        self.steps += 1
        self.paths = [(*self.paths[parent], token) for token, parent in zip(tokens, parents, strict=True)]
        return self.logs()


def said(language: Language, limit: int = 10) -> tuple[int, ...]:
    speaker = Speaker(language)
    return search(Path(), speaker.logs(), speaker.step, limit).tokens


def test_a_second_best_first_word_wins_if_what_follows_is_surer() -> None:
    language = {(): {A: 0.55, B: 0.45}, (A,): {C: 0.5, D: 0.5}, (B,): {C: 0.99, D: 0.01}}
    assert said(language) == (B, C, END)


def test_a_sure_beginning_stays() -> None:
    language = {(): {A: 0.9, B: 0.1}, (A,): {C: 0.8, D: 0.2}, (B,): {C: 1.0}}
    assert said(language) == (A, C, END)


def test_paths_that_change_places_keep_their_own_past() -> None:
    language = {
        (): {A: 0.55, B: 0.45},
        (A,): {C: 0.4, D: 0.3, A: 0.3},
        (B,): {D: 0.95, C: 0.05},
        (B, D): {A: 0.6, B: 0.4},
        (B, D, A): {C: 1.0},
    }
    assert said(language) == (B, D, A, C, END)


def test_a_long_sentence_is_not_given_up_for_a_short_one() -> None:
    language = {(): {END: 0.4, A: 0.6}, (A,): {B: 0.8, C: 0.2}, (A, B): {C: 0.8, D: 0.2}}
    assert said(language) == (A, B, C, END)


def test_nothing_is_said_beyond_the_limit() -> None:
    endless: Language = {path: {A: 0.9, B: 0.1} for length in range(8) for path in product((A, B), repeat=length)}
    assert said(endless, limit=6) == (A,) * 6


def test_the_search_stops_once_nothing_can_be_better() -> None:
    speaker = Speaker({(): {A: 0.99, B: 0.01}, (A,): {END: 0.99, B: 0.01}, (A, B): {C: 1.0}, (B,): {C: 1.0}})
    assert search(Path(), speaker.logs(), speaker.step, 100).tokens == (A, END)
    assert speaker.steps < 6


def test_it_goes_on_from_what_was_said_already() -> None:
    speaker = Speaker({(A,): {B: 0.9, C: 0.1}})
    speaker.paths = [(A,)]
    best = search(Path((A,), (-0.5,)), speaker.logs(), speaker.step, 10)
    assert best.tokens == (A, B, END)
    assert best.logs[0] == -0.5
