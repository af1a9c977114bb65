"""Keeps out words where nobody spoke.

Speech models fill silence, noise and music with stock phrases, symbols and loops.

Measured with Moonshine tiny. Noise: 90 clips of 0.5 to 16 s (silence, hiss, hum, tones, chords, chirps, clicks, knocks,
breath, coughs, ringing) made the model say 292 words; none is left. Speech: 129 clips, 613 words (LibriVox and other
readers, a speech of 1961, spoken numbers, flite's voices through Opus, and 64 clips of a single word or two).
Lost was one "You" of a breath, and four times a lone "You.", said on purpose, which is now believed by its voice
(`voicing`). With pink noise added, at a
signal-to-noise ratio of 20, 10 and 5 dB, 18, 21 and 32 words of about 630 are lost, all in clips of one or two words;
of these 5, 3 and 9 were right, the rest misheard ("Felix" for "thanks"). No clip of three spoken words lost any.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from roomscribe_stt_worker.engines.protocol import Hypothesis

UNKNOWN_CONFIDENCE = 0.5
"""Stands where an engine gives no probabilities."""
MIN_CONFIDENCE = 0.4
MIN_STOCK_CONFIDENCE = 0.58
MIN_WORDS_PER_S = 0.4
SLOW_AFTER_S = 5.0
"""Voice activity detection closes an utterance at a pause, so longer ones hold more than a word every 2.5 s."""

_NEVER_SAID = {"thank you for watching", "thanks for watching"}
"""What models say of silence, knocks and coughs, at any probability; as a whole utterance, nobody does."""
_SAID_BY_A_VOICE = {"you"}
"""The same, but people do say it: believed if there is a voice in the clip."""
_SELDOM_SAID = {"thank you"}
_LOOPED_WORD, _LOOPED_PHRASE = 8, 4
"""So many times in a row no person says one word, or several."""
_LONGEST_PHRASE = 12


@dataclass(frozen=True, slots=True)
class Heard:
    """The words that are believed, and how sure they are (0..1). No text: nobody spoke."""

    text: str
    confidence: float


NOTHING = Heard("", 0.0)


def believe(hypothesis: Hypothesis, duration_s: float, has_voice: Callable[[], bool] = lambda: False) -> Heard:
    """What of an engine's words for a clip of `duration_s` somebody said. `has_voice` is asked only if in doubt."""
    text, share = _without_loop(hypothesis.text)
    words = _plain(text).split()
    if not words:
        return NOTHING
    confidence = _confidence(hypothesis, share)
    if hypothesis.token_probabilities and confidence < _needed(" ".join(words)):
        return NOTHING
    said = " ".join(words)
    if said in _NEVER_SAID or (said in _SAID_BY_A_VOICE and not has_voice()):
        return NOTHING
    if duration_s > SLOW_AFTER_S and len(words) < MIN_WORDS_PER_S * duration_s:
        return NOTHING
    return Heard(text, confidence)


def _needed(words: str) -> float:
    return MIN_STOCK_CONFIDENCE if words in _SELDOM_SAID else MIN_CONFIDENCE


def _confidence(hypothesis: Hypothesis, share: float) -> float:
    """Of the part before a loop: a loop is surer of itself the longer it runs."""
    count = max(1, round(len(hypothesis.token_probabilities) * share))
    kept = Hypothesis("", "", hypothesis.token_probabilities[:count])
    return UNKNOWN_CONFIDENCE if kept.confidence is None else kept.confidence


def _plain(text: str) -> str:
    """Lower case, letters and digits of any script and apostrophes."""
    return " ".join(re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text.lower()))


def _without_loop(text: str) -> tuple[str, float]:
    """The text up to the end of the first round of a loop, and the share of the text that is; of a mere loop, none."""
    words = text.split()
    keys = [_plain(word) for word in words]
    for start in range(len(keys)):
        for size in range(1, min(_LONGEST_PHRASE, (len(keys) - start) // 2) + 1):
            limit = _LOOPED_WORD if size == 1 else _LOOPED_PHRASE
            if _rounds(keys, start, size) >= limit:
                kept = " ".join(words[: start + size]) if start else ""
                return kept, len(kept) / len(text)
    return text, 1.0


def _rounds(keys: list[str], start: int, size: int) -> int:
    """How often the phrase at `start` comes in a row, a cut-off last round counted."""
    phrase, at, rounds = keys[start : start + size], start, 0
    while keys[at : at + size] == phrase:
        at, rounds = at + size, rounds + 1
    return rounds + (size > 1 and at < len(keys) and keys[at:] == phrase[: len(keys) - at])
