"""The sentences nearest to what the whole meeting is about: tf-idf, centroid, and no two that say the same."""

import math
from collections import Counter
from collections.abc import Sequence

from roomscribe_summarizer.domain.draft import Statement
from roomscribe_summarizer.engines.rules.sentences import Sentence
from roomscribe_summarizer.engines.rules.words import content_words, words

Vector = dict[str, float]

_FEWEST_WORDS = 5
_FULL_LENGTH = 12
_AT_MOST = 8
_SENTENCES_PER_LINE = 6
_DECIDING_BONUS = 1.35
_QUESTION_MALUS = 0.5
_REDUNDANCY = 0.7


def summary(said: Sequence[Sentence], weighty: frozenset[str]) -> list[Statement]:
    """The most telling sentences in the order they were said; those in segments of `weighty` count for more."""
    vectors = _vectors(said)
    centroid = _sum(vectors)
    scores = {
        s.index: _score(s, vectors[s.index], centroid, weighty) for s in said if len(words(s.text)) >= _FEWEST_WORDS
    }
    wanted = min(_AT_MOST, math.ceil(len(scores) / _SENTENCES_PER_LINE))
    chosen: list[int] = []
    while len(chosen) < wanted and (best := _best(scores, chosen, vectors)) is not None:
        chosen.append(best)
    return [Statement(said[index].text, said[index].segment_ids) for index in sorted(chosen)]


def _vectors(said: Sequence[Sentence]) -> list[Vector]:
    bags = [Counter(content_words(sentence.text)) for sentence in said]
    holding = Counter(word for bag in bags for word in bag)
    return [{word: count * math.log(1 + len(bags) / holding[word]) for word, count in bag.items()} for bag in bags]


def _sum(vectors: Sequence[Vector]) -> Vector:
    total: Vector = {}
    for vector in vectors:
        for word, weight in vector.items():
            total[word] = total.get(word, 0.0) + weight
    return total


def _score(sentence: Sentence, vector: Vector, centroid: Vector, weighty: frozenset[str]) -> float:
    score = _cosine(vector, centroid) * min(1.0, len(words(sentence.text)) / _FULL_LENGTH)
    if sentence.is_question:
        score *= _QUESTION_MALUS
    return score * _DECIDING_BONUS if weighty.intersection(sentence.segment_ids) else score


def _best(scores: dict[int, float], chosen: Sequence[int], vectors: Sequence[Vector]) -> int | None:
    """The best sentence that is left, counting down those like a chosen one."""

    def worth(index: int) -> float:
        alike = max((_cosine(vectors[index], vectors[other]) for other in chosen), default=0.0)
        return scores[index] - _REDUNDANCY * alike * scores[index]

    left = [index for index in scores if index not in chosen and scores[index] > 0]
    return max(left, key=lambda index: (worth(index), -index), default=None)


def _cosine(one: Vector, other: Vector) -> float:
    product = sum(weight * other.get(word, 0.0) for word, weight in one.items())
    lengths = math.hypot(*one.values()) * math.hypot(*other.values())
    return product / lengths if lengths else 0.0
