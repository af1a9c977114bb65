"""Which of the words that were spoken are missing, and which are there twice. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import jiwer
from roomscribe_cli.demo.scorecard import normal
from roomscribe_common.contracts.transcript import TranscriptFinalData

MOST_MISHEARD = 0.3
"""The recogniser itself leaves out or joins words. Of one line at most this share is taken for that,"""
LONGEST_MISHEARD = 2
"""and never more than this many words in a row."""
LONGEST_INVENTED = 4
"""So many words in a row that nobody said may be the recogniser's; more are something said that came twice."""


@dataclass(frozen=True)
class Span:
    """From when to when, in Unix time."""

    begin: float
    end: float

    def holds(self, at: float, margin_s: float) -> bool:
        """Whether a moment lies in it, or so near to it."""
        return self.begin - margin_s <= at <= self.end + margin_s


@dataclass(frozen=True)
class Sentence:
    """One line as it was really spoken."""

    number: int
    text: str
    span: Span


@dataclass(frozen=True)
class Word:
    """One spoken word and its moment, as an even pace has it."""

    text: str
    line: int
    at: float


@dataclass(frozen=True)
class Findings:
    """What one person said and is not there, by line; and what is there that was not said."""

    lost: dict[int, list[str]]
    doubled: list[str]


def words_of(sentences: Sequence[Sentence]) -> list[Word]:
    """The words of what one person said."""
    words: list[Word] = []
    for sentence in sentences:
        texts = normal(sentence.text).split()
        pace_s = (sentence.span.end - sentence.span.begin) / len(texts)
        words += [Word(text, sentence.number, sentence.span.begin + (i + 0.5) * pace_s) for i, text in enumerate(texts)]
    return words


def examine(words: list[Word], heard: list[TranscriptFinalData], excuses: Sequence[Span], margin_s: float) -> Findings:
    """Align what was said with what was heard, both in the order of speech. What lies in an excuse is not missed."""
    texts = normal(" ".join(final.text for final in heard)).split()
    if not texts:
        return Findings(_by_line(words, set(range(len(words))), excuses, margin_s), [])
    alignment = jiwer.process_words(" ".join(word.text for word in words), " ".join(texts)).alignments[0]
    missing: set[int] = set()
    doubled: list[str] = []
    for chunk in alignment:
        if chunk.type == "delete":
            missing |= set(range(chunk.ref_start_idx, chunk.ref_end_idx))
        elif chunk.type == "insert" and chunk.hyp_end_idx - chunk.hyp_start_idx > LONGEST_INVENTED:
            doubled.append(" ".join(texts[chunk.hyp_start_idx : chunk.hyp_end_idx]))
    return Findings(_by_line(words, missing, excuses, margin_s), doubled)


def _by_line(words: list[Word], missing: set[int], excuses: Sequence[Span], margin_s: float) -> dict[int, list[str]]:
    lost: dict[int, list[str]] = {}
    for number in sorted({word.line for word in words}):
        mine = [i for i, word in enumerate(words) if word.line == number]
        absent = [i for i in mine if i in missing and not any(e.holds(words[i].at, margin_s) for e in excuses)]
        if len(absent) > MOST_MISHEARD * len(mine) or _longest_run(absent) > LONGEST_MISHEARD:
            lost[number] = [words[i].text for i in absent]
    return lost


def _longest_run(indexes: list[int]) -> int:
    longest = run = 0
    previous = -2
    for index in indexes:
        run = run + 1 if index == previous + 1 else 1
        longest, previous = max(longest, run), index
    return longest
