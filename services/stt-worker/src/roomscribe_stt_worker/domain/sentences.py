"""Whether somebody is done with what they were saying, as far as the words tell."""

from roomscribe_stt_worker.engines.protocol import Hypothesis

SURE = 0.8
"""A full stop this probable is believed at once,"""
DOUBT_S = 0.5
"""a less probable one later, by this much per unit of probability,"""
LEAST = 0.3
"""and one below this never: then silence alone decides."""
FEW_WORDS, FEW_WORDS_S = 3, 0.1
"""Fewer words are likelier the beginning of more, so they wait longer."""


def over_after_s(hypothesis: Hypothesis) -> float | None:
    """How long to wait, once the words up to a pause are known, before taking the sentence for over.

    None if they end no sentence, or the engine gives no probabilities. A small model puts a full stop behind almost
    anything that stops, but it is less sure of it in mid-sentence.
    """
    said, probabilities = hypothesis.text.rstrip(), hypothesis.token_probabilities
    if not said.endswith((".", "?", "!")) or len(probabilities) < 2:
        return None
    full_stop = probabilities[-2]  # the last is that of the end
    if full_stop < LEAST:
        return None
    return max(0.0, SURE - full_stop) * DOUBT_S + (FEW_WORDS_S if len(said.split()) < FEW_WORDS else 0.0)
