"""Topics: phrases that come up again and again, with the segments they came up in."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from roomscribe_summarizer.domain.draft import Statement
from roomscribe_summarizer.engines.rules.sentences import Sentence
from roomscribe_summarizer.engines.rules.words import is_content, stem, words

_LONGEST = 3
_TOPICS = 5
_CITED = 12
_OFTEN = 2
"""How many segments must hold a phrase to make it a topic."""

Key = tuple[str, ...]


def topics(said: Sequence[Sentence], names: Iterable[str]) -> list[Statement]:
    """Up to five phrases, the weightiest first, as they were said most often."""
    ignored = {stem(word) for name in names for word in words(name)}
    places: dict[Key, dict[str, None]] = defaultdict(dict)
    forms: dict[Key, Counter[str]] = defaultdict(Counter)
    for sentence in said:
        for key, form in _phrases(sentence.text, ignored):
            places[key] |= dict.fromkeys(sentence.segment_ids)
            forms[key][form] += 1
    often = [key for key in places if len(places[key]) >= _OFTEN]
    ranked = sorted(often, key=lambda key: (-len(places[key]) * len(key) ** 0.7, key))
    chosen: list[Key] = []
    for key in ranked:
        if len(chosen) < _TOPICS and not any(_overlap(key, other) for other in chosen):
            chosen.append(key)
    return [Statement(_usual(forms[key]), tuple(places[key])[:_CITED]) for key in chosen]


def _phrases(text: str, ignored: set[str]) -> Iterator[tuple[Key, str]]:
    """Runs of one to three meaningful words, as stems and as said."""
    run: list[str] = []
    for word in [*words(text), ""]:
        if word and is_content(word) and stem(word) not in ignored:
            run.append(word)
            continue
        for length in range(1, _LONGEST + 1):
            for start in range(len(run) - length + 1):
                part = run[start : start + length]
                yield tuple(stem(one) for one in part), " ".join(part)
        run = []


def _overlap(one: Key, other: Key) -> bool:
    return bool(set(one) & set(other))


def _usual(forms: Counter[str]) -> str:
    return max(sorted(forms), key=lambda form: forms[form])
